"""``python -m kling_lipsync.cli``: the command line of exactly this interpreter."""

from __future__ import annotations

from . import main

main()

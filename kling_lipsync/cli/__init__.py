"""The command line: ``kling-lipsync COMMAND``; progress and messages on stderr, data on stdout."""

from __future__ import annotations

import sys

_EXTRA = ("cyclopts", "rich")


def main() -> None:
    """Runs the command that the arguments name, and exits with its status."""
    try:
        from ._app import run_app
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        sys.stderr.write("kling-lipsync: the command line needs the extra: pip install 'kling-lipsync[cli]'\n")
        sys.exit(2)
    sys.exit(run_app(sys.argv[1:]))

"""Pictures of a batch, as HTML files that need nothing else."""

from __future__ import annotations

from .sheet import SeenFace, SeenVideo, contact_sheet

__all__ = ["SeenFace", "SeenVideo", "contact_sheet"]

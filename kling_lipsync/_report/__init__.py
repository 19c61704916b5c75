"""Pictures of a batch, as HTML files that need nothing else."""

from __future__ import annotations

from .html import batch_page
from .page import BEGINNING
from .reading import read_batch
from .sheet import SeenFace, SeenVideo, contact_sheet

__all__ = ["BEGINNING", "SeenFace", "SeenVideo", "batch_page", "contact_sheet", "read_batch"]

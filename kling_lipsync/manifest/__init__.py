"""Batches as files: a manifest (CSV or JSONL) in, results (JSONL) out."""

from __future__ import annotations

from .reading import Manifest, ManifestError, read_manifest
from .results import ResultsFile, result_line

__all__ = ["Manifest", "ManifestError", "ResultsFile", "read_manifest", "result_line"]

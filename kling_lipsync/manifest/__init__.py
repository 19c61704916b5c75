"""Batches as files: a manifest (CSV or JSONL) in, results (JSONL) out."""

from __future__ import annotations

from .earlier import Listed, keep_beside, listed
from .reading import Manifest, ManifestError, read_manifest
from .results import Plain, ResultsFile, plan_object, result_line, units_number

__all__ = [
    "Listed",
    "Manifest",
    "ManifestError",
    "Plain",
    "ResultsFile",
    "keep_beside",
    "listed",
    "plan_object",
    "read_manifest",
    "result_line",
    "units_number",
]

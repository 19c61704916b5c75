"""The jobs of a manifest that a command works on, and the journal that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

from attrs import frozen
from cyclopts import Group, Parameter

from ..errors import ConfigurationError
from ..manifest import Manifest, read_manifest
from ..models import Job
from ._options import Count


@Parameter(name="*", group=Group("Choice of jobs", sort_key=4))
@frozen(kw_only=True)
class Choice:
    """Which jobs of a manifest to take."""

    limit: Count | None = None
    """Take the first so many jobs only."""

    only: Annotated[tuple[str, ...], Parameter(allow_leading_hyphen=True)] = ()
    """Take the job of this key only; may be given several times."""

    def of(self, path: Path) -> Selection:
        """The jobs chosen of the manifest at ``path``.

        Raises ManifestError, and ConfigurationError for a key that it does not have.
        """
        manifest = read_manifest(path)
        missing = [key for key in self.only if key not in manifest]
        if missing:
            raise ConfigurationError(f"--only: {path} has no job {', '.join(map(repr, missing))}")
        return Selection(manifest=manifest, only=frozenset(self.only), limit=self.limit)


@frozen(kw_only=True)
class Selection:
    """Jobs read from their manifest, as often as they are iterated over; ``len`` is their number."""

    manifest: Manifest
    only: frozenset[str] = frozenset()
    limit: int | None = None

    def __iter__(self) -> Iterator[Job]:
        return islice(filter(self.wants, self.manifest), self.limit)

    def wants(self, job: Job) -> bool:
        """Whether the job is chosen, as long as the limit is not reached."""
        return not self.only or job.key in self.only

    def __len__(self) -> int:
        chosen = len(self.only) or len(self.manifest)
        return chosen if self.limit is None else min(chosen, self.limit)


def journal_beside(manifest: Path) -> Path:
    """The journal of a manifest: its name + ``.journal``, in the same folder."""
    return manifest.with_name(f"{manifest.name}.journal")

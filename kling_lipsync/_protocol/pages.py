"""A page of the account's tasks: a page has many, and whoever looks at it wants few of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import field, frozen

from ..models import Task


@frozen
class TaskPage:
    """The ``ids`` of a page's tasks in its order; ``task`` reads the one in a place, from 0, once it is asked for.

    ``runs`` reads no more of it than whether it says in a word that is known that it has not ended yet.
    """

    ids: Sequence[str]
    task: Callable[[int], Task] = field(eq=False, repr=False)
    runs: Callable[[int], bool] = field(eq=False, repr=False)

    def tasks(self) -> list[Task]:
        """All of them."""
        return [self.task(place) for place in range(len(self.ids))]

"""A module that another package imports without need, left alone until something in it is used."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


@contextmanager
def postponed(name: str) -> Iterator[None]:
    """Inside the block ``import name`` gives a stand-in, which imports the module itself when it is first used.

    A module that is imported already stays as it is, one that is not installed stays missing.
    """
    if name in sys.modules or find_spec(name) is None:
        yield
        return
    stand_in = sys.modules[name] = _StandIn(name)
    try:
        yield
    finally:
        stand_in.step_aside()


class _StandIn(ModuleType):
    def step_aside(self) -> None:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401 - whatever the module has
        self.step_aside()
        return getattr(import_module(self.__name__), attribute)

"""Values of which a part is read when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import fields_dict


class ReadLater:
    """Where the fields of an unread value come from: ``_read``, when the first that is not there is asked for.

    For frozen attrs classes: ``_read`` gives the whole value, and what is there already is kept.
    """

    __slots__ = ("_read",)

    if not TYPE_CHECKING:  # else no misspelt name would be found

        def __getattr__(self, name: str) -> object:
            """A field that is not there yet. Raises what ``_read`` raises."""
            fields = fields_dict(type(self))
            if name not in fields:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            whole = self._read()
            for each in fields:
                try:
                    object.__getattribute__(self, each)
                except AttributeError:
                    object.__setattr__(self, each, getattr(whole, each))
            return object.__getattribute__(self, name)

"""Keeps the events of all jobs in one SQLite file, and counts claims, slots and money there."""

from .codec import plain_outcome
from .journal import SqliteJournal
from .peek import JournalView, peek

__all__ = ["JournalView", "SqliteJournal", "peek", "plain_outcome"]

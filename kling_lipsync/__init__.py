"""Async lip-sync jobs on Kling AI: many at once, paid exactly once each."""

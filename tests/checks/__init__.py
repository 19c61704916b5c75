"""Tests of the local checks, the planner, the prices and the choice of faces."""

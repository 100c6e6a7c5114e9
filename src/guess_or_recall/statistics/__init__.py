"""Scores, intervals, bootstraps and tests."""

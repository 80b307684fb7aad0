"""Checks of the house itself: its measures and its generated files."""

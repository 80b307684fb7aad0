"""Servers that stand in for the sinks of this world: they check what they get as those do, and keep it."""

"""The facts of the judge."""

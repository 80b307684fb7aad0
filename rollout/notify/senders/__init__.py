"""The doors to the sinks: one try each, within its time limit, and no secret in what is said of it."""

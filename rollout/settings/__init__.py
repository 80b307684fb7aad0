"""Settings of ``rollout serve``: one table, from a file, the environment and flags, each with where it came from."""

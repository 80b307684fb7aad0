"""What is wanted: the Rollout and its policies as frozen values, their defaults and their checks."""

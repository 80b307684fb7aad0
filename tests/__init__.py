"""The tests; their folders mirror `rollout/`."""

"""Tests of `rollout/notify`."""

"""Delivery: each transition to each of its sinks at least once, in order per Rollout, whatever fails meanwhile.

``notifier`` joins it: ``book`` knows who is told of a Rollout and how far, ``post`` works for one sink on its ``line``.
What is owed is worked out from the live state whenever somebody has time for it; nothing is queued but names of
Rollouts, so that nothing can be lost, and nothing grows.
"""

"""Gates and hooks: URLs from a Rollout that must agree. The only door to them."""

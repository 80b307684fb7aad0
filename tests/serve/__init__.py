"""`rollout serve` as its users run it: a process of its own before a real Envoy."""

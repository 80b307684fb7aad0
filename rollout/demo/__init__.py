"""The embedded world: a real Envoy, real services and real load on one machine, to see a rollout happen."""

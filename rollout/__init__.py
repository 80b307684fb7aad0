"""A weighted-rollout and failover controller for the Gateway API and plain Envoy."""

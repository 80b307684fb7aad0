"""A weighted-rollout and failover controller for the Gateway API and plain Envoy."""

__version__ = "0.1.0"

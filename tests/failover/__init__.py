"""The facts of failover."""

"""Who may use the API of a cluster, and what the service itself may do there."""

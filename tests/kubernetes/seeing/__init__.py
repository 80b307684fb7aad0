"""What is seen of a cluster: reflectors, endpoints, workloads, and the events that tell of it."""

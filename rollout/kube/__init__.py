"""The only door to the Kubernetes client: what is seen of a cluster, and the few things that are written there."""

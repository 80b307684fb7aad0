"""Parts of the Kubernetes room that need no cluster."""

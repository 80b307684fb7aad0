"""A folder of manifests as the place where Rollouts and policies are written down."""

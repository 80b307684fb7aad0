"""Who acts: Leases on a real API server."""

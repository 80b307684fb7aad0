"""The store on a real API server."""

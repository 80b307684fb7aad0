"""Attempts that run while the API server and the network fail, each fault on its own."""

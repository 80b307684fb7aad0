"""The routes of a real API server, with the hands of others on them."""

"""What users of other controllers know, replayed on a real API server."""

"""The custom resource definitions on a real API server: what is refused, taken, kept, shown and read again."""

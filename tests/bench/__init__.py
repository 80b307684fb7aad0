"""What is measured: figures with their limits."""

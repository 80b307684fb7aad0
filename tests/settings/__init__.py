"""Settings of serve: what is read from where, and what is said of wrong ones."""

"""The store of the envoy runtime: one SQLite file, written by one thread, read from a cache."""

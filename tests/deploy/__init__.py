"""Facts about deploy/: what people install is what they are told, and is taken by the real servers."""

"""Who may use the API of the envoy runtime: bearer tokens in one file."""

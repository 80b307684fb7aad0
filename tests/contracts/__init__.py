"""One suite for each port, run on its fake and on the real thing."""

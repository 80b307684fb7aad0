"""Own probes of backends by HTTP, gRPC and TCP: the port ``Probes``, thousands of targets on one loop."""

"""The whole controller in simulated time: a world of traffic, routes and faults around the shipped code."""

"""Is the canary good: raw counters become differences, differences evidence, evidence a verdict."""

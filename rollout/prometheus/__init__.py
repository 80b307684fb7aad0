"""Counters from Prometheus, or anything that answers its query API. The only door to prometheus-api-client."""

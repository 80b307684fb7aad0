"""Tests of the door to Prometheus."""

"""Tests of the door to Envoy, most of them with a real one."""

"""Tests of the bodies that sinks are sent."""

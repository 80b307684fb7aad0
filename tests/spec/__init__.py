"""Tests of the spec: manifests in, models or problems out."""

"""Tests of the folder of manifests."""

"""Tests of the SQLite store, beside the contract that all stores share."""

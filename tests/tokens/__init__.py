"""Tests of the token file, beside the contract that all kinds of access share."""

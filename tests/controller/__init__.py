"""Tests of the controller: each module by its own facts, and the whole of it in virtual time over fakes."""

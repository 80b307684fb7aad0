"""Tests of the engine: each module by its own facts, and what holds for every sequence of passes."""

"""The marks of everything here; the fixtures are in ``fixtures``."""

from pathlib import Path

import pytest

from tests.kubernetes.fixtures import KUBERNETES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as real, and give it to one worker, so that one API server is enough."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            for mark in KUBERNETES:
                item.add_marker(mark)

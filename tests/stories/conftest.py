"""The option that writes the expected timelines anew, to be read and reviewed like code."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --rewrite-stories."""
    parser.addoption("--rewrite-stories", action="store_true", help="write expected timelines anew")


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Return whether expected timelines are written instead of compared."""
    return bool(request.config.getoption("--rewrite-stories", default=False))

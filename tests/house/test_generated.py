"""Generated files are what their programs would write now."""

from collections.abc import Callable

import pytest

from tests.house.generate import GENERATED, ROOT


@pytest.mark.parametrize(("path", "text"), GENERATED, ids=[path for path, _ in GENERATED])
def test_is_fresh(path: str, text: Callable[[], str]) -> None:
    """The file in the tree is the one that `make docs` would write."""
    file = ROOT / path

    assert file.exists(), f"{path} is missing: run `make docs` and commit it"
    assert file.read_text(encoding="utf-8") == text(), f"{path} is stale: run `make docs` and commit it"

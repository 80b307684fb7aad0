"""Sinks in the docs can be copied: each file of sinks on a page is taken."""

import re
from pathlib import Path

import pytest

from rollout.bootstrap.telling import read_sinks
from rollout.notify.sinks import SinkKind
from tests.house.generate import ROOT

BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"^sinks:$", re.MULTILINE)


def files() -> list[tuple[str, str]]:
    """Return the page and the text of each file of sinks in the docs."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    texts = [(page, text) for page in pages for text in BLOCK.findall(page.read_text(encoding="utf-8"))]
    return [(page.name, text) for page, text in texts if OURS.search(text)]


@pytest.mark.parametrize(("page", "text"), files(), ids=[page for page, _ in files()])
def test_a_file_of_sinks_is_taken(tmp_path: Path, page: str, text: str) -> None:
    """As it stands on the page."""
    file = tmp_path / f"{page}.yaml"
    file.write_text(text, encoding="utf-8")

    assert read_sinks(file).sinks


def test_each_kind_is_shown() -> None:
    """Nobody has to guess how one of them is written."""
    shown = {kind for _, text in files() for kind in SinkKind if re.search(rf"kind: {kind.value}\b", text)}

    assert shown == set(SinkKind)

"""Stories: a rehearsal file, and beside it the timeline that it must give, to the byte."""

import io
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rollout.rehearsal.reading import read_file
from rollout.rehearsal.rehearse import rehearse
from rollout.rehearsal.report import console_for, told_on

pytestmark = pytest.mark.long

STORIES = sorted(Path(__file__).parent.glob("*.yaml"))


@pytest.mark.parametrize("story", STORIES, ids=[story.stem for story in STORIES])
def test_story(story: Path, *, rewrite: bool) -> None:
    """The story goes as the timeline beside it says, and no pass fails for a reason that nobody named."""
    rehearsal = read_file(story)
    with capture_logs() as logs:
        told = told_on(console_for(io.StringIO()), rehearsal, rehearse(rehearsal))
    expected = story.with_suffix(".timeline")
    if rewrite:
        expected.write_text(told, encoding="utf-8")
    unexpected = [entry for entry in logs if entry.get("exc_info")]

    assert not unexpected
    assert told == expected.read_text(encoding="utf-8")

"""Every message of every kind is valid for every sink, whatever its reason and however bad its texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, given, settings

from rollout.engine.table import Phase
from rollout.notify.message import Message
from rollout.notify.shapes import body, slack
from rollout.notify.sinks import SinkKind
from tests.notify import made, shape_rules, slack_rules

pytestmark = pytest.mark.long

Judge = Callable[[Mapping[str, object]], list[str]]

JUDGES: Mapping[SinkKind, Judge] = {
    SinkKind.SLACK: slack_rules.refusals,
    SinkKind.MATTERMOST: shape_rules.mattermost,
    SinkKind.DISCORD: shape_rules.discord,
    SinkKind.TEAMS: shape_rules.teams,
    SinkKind.CLOUD_EVENTS: shape_rules.cloud_event,
}
TS = "1503435956.000247"
HOSTILE = " ".join(made.HOSTILE)

hostile = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("reason", made.REASONS)
def test_every_reason_is_told_validly(reason: str) -> None:
    """A transition for any reason, with a hostile text, is valid alone and in a list, for each sink."""
    told = made.notice(reason, Phase.ABORTED, message=HOSTILE)
    messages = [made.message(kind, told) for kind in (made.Made.ALONE, made.Made.PLAIN, made.Made.SHORT_LIST)]

    assert [why for message in messages for kind in JUDGES for why in JUDGES[kind](body(kind, message))] == []


@pytest.mark.parametrize("kind", JUDGES)
@hostile
@given(message=made.messages)
def test_any_text_is_told_validly(kind: SinkKind, message: Message) -> None:
    """Any texts, also in templates, give a valid body in each kind of message."""
    assert JUDGES[kind](body(kind, message)) == []


@hostile
@given(message=made.messages)
def test_calls_of_a_bot_are_valid(message: Message) -> None:
    """What a bot posts, answers and updates is valid in each kind of message."""
    posts = (slack.root(message, channel="C1"), slack.answer(message, channel="C1", root=TS))
    update = slack.update(message, channel="C1", root=TS)

    assert [why for call in posts for why in slack_rules.refusals(call, call=slack_rules.POST)] == []
    assert slack_rules.refusals(update, call=slack_rules.UPDATE) == []


@pytest.mark.parametrize("kind", JUDGES)
@pytest.mark.parametrize("letter", ["x", "&", "*", "<", "😀", "ﷺ", "\\", "@", ":", "."])
def test_the_longest_texts_are_told_validly(kind: SinkKind, letter: str) -> None:
    """A text much too long, of letters that escapes make longer still, is valid in each kind of message."""
    told = made.notice(message=letter * 5000, weights=((letter * 253, 100),))
    messages = [made.message(shape, told) for shape in made.Made]

    assert [why for message in messages for why in JUDGES[kind](body(kind, message))] == []

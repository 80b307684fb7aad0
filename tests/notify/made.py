"""Notices and messages for tests: plain ones, and ones with the worst texts that may come from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from hypothesis import strategies as st

from rollout.analysis.reasons import Reason as Judged
from rollout.engine.reasons import Reason
from rollout.engine.state import Failing, Transition
from rollout.engine.table import Phase
from rollout.failover.reasons import Reason as Why
from rollout.failover.table import Stage
from rollout.notify.message import Level, Message, Notice
from rollout.notify.notices import Totals, digest_of, earlier_of, message_of, notice_of, trial
from rollout.notify.sinks import Templates
from rollout.notify.texts import one_line
from rollout.ports import Key

KEY = Key("shop", "checkout")
AT = 1_767_000_000.25
WEIGHTS = (("checkout-v1", 90), ("checkout-v2", 10))
REASONS = tuple(dict.fromkeys((*map(str, Reason), *map(str, Why), *map(str, Judged), "FromAPolicy")))
LINK = "https://rollouts.example/{{ rollout.namespace }}/{{ rollout.name }}?why={{ message }}"

HOSTILE = (
    "<!channel>",
    "<!here> <!everyone> <@U024BE7LH> <#C024BE7LR> <!subteam^SAZ94GDB8>",
    "<https://evil.example|click>",
    "&lt;!channel&gt; &amp;amp; &#60;!channel&#62;",
    "@channel @all @here @everyone @alice",
    "<@123456789> <@&123456789> <#123456789> <:x:123> <t:1618953630:R> </run:1>",
    "https://evil.example/a_b_c http://evil.example mailto:a@evil.example www.evil.example evil.example/x",
    "[click](https://evil.example) ![image](https://evil.example/i.png) <https://evil.example>",
    "**bold** __bold__ *em* _em_ ~~gone~~ ||hidden|| `code` ```block```",
    "# title\n## title\n> quote\n- item\n1. item\n-# small\n***\n===\n| a | b |\n|---|---|",
    ":smile: :+1: :) $x^2$ \\( \\[ \\",
    "{{DATE(2017-02-14T06:08:00Z, SHORT)}} ${env} @{triggerBody()} {{ link }}",
    "<script>alert(1)</script> <at>Alice</at> <b>x</b>",
    "\x00\x07\x1b[31m\r\n\t\x7f\x85\u2028\u2029",
    "\u202eevil\u202c \u2066x\u2069 \u200b\ufeff",
    "\ud800 lone \udfff",
    "😀" * 9,
    "ﷺ ｅｖｉｌ．ｅｘａｍｐｌｅ ｈｔｔｐｓ：／／ｅｖｉｌ",
    "~town-square #hashtag #C1",
    "*",
    "<",
    "&",
    "\\",
    "\\\\*",
    "_" * 7,
    "`",
)


def transition(reason: str = Reason.STEP_STARTED, phase: Phase = Phase.PROGRESSING, **fields: object) -> Transition:
    """A transition into step 1, unless told otherwise."""
    known: dict[str, object] = {"number": 7, "at": AT, "step": 1, "weights": WEIGHTS, "message": "Step 1 of 2."}
    return Transition(reason=reason, phase=phase, **{**known, "attempt": 3, **fields})  # type: ignore[arg-type]


def notice(reason: str = Reason.STEP_STARTED, phase: Phase = Phase.PROGRESSING, **fields: object) -> Notice:
    """A notice of a transition, with a link."""
    return notice_of(KEY, "u-1", transition(reason, phase, **fields), link=LINK)


class Made(StrEnum):
    """The messages that can be made of a notice: alone, left plain, in lists, and those that need no notice."""

    ALONE = "alone"
    PLAIN = "plain"
    SHORT_LIST = "short list"
    LONG_LIST = "long list"
    PLAIN_LIST = "plain list"
    EARLIER = "earlier"
    TRIAL = "trial"


def listing(told: Sequence[Notice], *, more: int = 0) -> Message:
    """A list of these notices, and more that are news."""
    levels = Counter(notice.level for notice in told) + Counter({Level.NEWS: more})
    return digest_of(told, Totals(len({notice.key for notice in told}), levels))


def message(kind: Made, told: Notice, templates: Templates | None = None) -> Message:
    """A message of this kind."""
    match kind:
        case Made.ALONE:
            return message_of(told, templates=templates or Templates())
        case Made.PLAIN:
            return replace(message(Made.ALONE, told, templates), notices=())
        case Made.SHORT_LIST:
            return listing([told, notice()])
        case Made.LONG_LIST:
            return listing([told] * 45, more=3)
        case Made.PLAIN_LIST:
            return replace(message(Made.LONG_LIST, told), notices=())
        case Made.EARLIER:
            return earlier_of(told.key, "u-1", first=1, last=80, before=told.at)
        case Made.TRIAL:
            return trial(told.key.name, by=told.message, at=told.at)


def _repeated(pieces: list[str], times: int) -> str:
    return (" ".join(pieces) * times)[:4000]


texts = st.one_of(
    st.text(max_size=60),
    st.builds(_repeated, st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=6), st.sampled_from((1, 2, 40))),
    st.builds(lambda letter, times: letter * times, st.characters(), st.sampled_from((150, 2000, 4000))),
)
"""Texts as nobody wishes them: of any characters, of markup of all kinds, and very long."""

lines = texts.map(lambda text: one_line(text)[:400].strip())
"""The same as a message has them: one line, and short enough to be shown whole."""

names = st.one_of(st.sampled_from(("shop", "checkout-v1", "a.b_c")), texts.map(lambda text: text[:253]))


@st.composite
def notices(draw: st.DrawFn) -> Notice:
    """A notice of any transition whose texts are hostile."""
    failing = st.builds(Failing, st.sampled_from(Stage), names, st.integers(0, 10**6))
    made = Transition(
        number=draw(st.integers(1, 10**9)),
        at=draw(st.floats(0, 5e9, allow_nan=False)),
        phase=draw(st.sampled_from(Phase)),
        step=draw(st.integers(0, 50)),
        weights=tuple(draw(st.lists(st.tuples(names, st.integers(0, 100)), max_size=9))),
        reason=draw(st.one_of(st.sampled_from(REASONS), texts)),
        message=draw(texts),
        failover=draw(st.none() | failing),
        attempt=draw(st.integers(0, 10**6)),
    )
    key = Key(draw(names), draw(names))
    link = draw(st.sampled_from((None, LINK, "{{ message }}", "https://a.example/(b)[c]|<d>?e=&f='g'*_~`\"")))
    return notice_of(key, draw(names), made, link=link)


templates = st.builds(
    Templates,
    title=st.none() | st.just("{{ reason }} of {{ rollout.name }}: {{message}}"),
    text=st.none() | st.just("{{ message }}\n{{ weights }} {{ failover.active }}{{ revision }}\n"),
)
"""Templates that show what is hostile as it is."""

messages = st.builds(message, st.sampled_from(Made), notices(), templates)
"""Any message whose texts are hostile."""

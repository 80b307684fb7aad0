"""Notices and messages: what a recorded transition, many of them, or none at all come to in words.

The same transition gives the same id wherever and whenever it is told, and the same facts as far as they are kept.
Names and sentences come from outside: here they become text of bounded length without control characters; that nothing
of it is taken for markup, a mention or a link is for the shapes to see to. ``rollout.notify.delivery`` calls it and
knows the sinks; this does not.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from urllib.parse import quote

from rollout.engine.state import State, Transition
from rollout.failover.table import Stage
from rollout.notify.levels import headline, level_of, worst
from rollout.notify.message import Kind, Level, Message, Notice
from rollout.notify.sinks import Templates
from rollout.notify.templates import fill
from rollout.notify.texts import cut, in_words, lines, one_line, rfc3339, width
from rollout.ports import Key

MOST_TITLE, MOST_TEXT, MOST_LINK = 120, 2000, 2000
MOST_LISTED = 40
"""So many lines a list has at most; the rest is counted."""

_MOST_KEY = 72
_MOST_FACTS = 600
_PLAIN = Templates()
_KEPT_NO_MORE = "could not be told one by one, because they waited for longer than they are kept."
_IN_ADDRESS = ":/?#[]@!$&'()*+,;=%"


@dataclass(frozen=True, slots=True)
class Totals:
    """All that a list stands for: how many ``rollouts``, transitions of each level, and ``folded`` ones, kept no more.

    ``covers`` names it all; the list's id follows from that.
    """

    rollouts: int
    levels: Mapping[Level, int]
    folded: int = 0
    covers: tuple[str, ...] = ()


def notice_of(
    key: Key, uid: str, transition: Transition, *, state: State | None = None, link: str | None = None
) -> Notice:
    """Return the notice of a transition of the Rollout with this key and uid.

    How many steps there are, and the revision, are taken from ``state`` as long as it is in the same attempt. ``link``
    is a template; what it comes to is left out unless it is an address of http or https of at most 2,000 characters.
    """
    same = state if state is not None and state.attempt == transition.attempt else None
    failing = transition.failover
    notice = Notice(
        id="tr_" + _hashed(uid, key.namespace, key.name, str(transition.number), repr(transition.at)),
        key=key,
        number=transition.number,
        at=transition.at,
        reason=one_line(transition.reason),
        message=lines(transition.message),
        level=level_of(transition.reason, transition.phase),
        phase=transition.phase,
        attempt=transition.attempt,
        step=transition.step,
        steps=len(same.steps_seen) if same else 0,
        revision=one_line(same.revision) if same else "",
        weights={one_line(name): weight for name, weight in transition.weights} or None,
        stage=failing.phase if failing else "",
        active=one_line(failing.active) if failing else "",
        epoch=failing.epoch if failing else 0,
    )
    return notice if not link else _linked(notice, link)


def message_of(notice: Notice, *, templates: Templates = _PLAIN, thread: str = "") -> Message:
    """Return the message of one transition, in the words of the templates where there are some."""
    values = values_of(notice)
    title = one_line(fill(templates.title, values)) if templates.title else ""
    text = lines(fill(templates.text, values)) if templates.text else ""
    return Message(
        id=notice.id,
        kind=Kind.TRANSITION,
        title=cut(title or title_of(notice), MOST_TITLE),
        text=cut(text, MOST_TEXT) if text else text_of(notice),
        level=notice.level,
        notices=(notice,),
        key=notice.key,
        thread=thread,
    )


def digest_of(notices: Sequence[Notice], totals: Totals) -> Message:
    """Return one message with a list of these notices, in their order; what else it stands for is only counted."""
    rest = sum(totals.levels.values()) - len(notices)
    said = [f"{title_of(notice)}. {notice.message}".strip() for notice in notices]
    room = (MOST_TEXT - 200) // max(1, len(said)) - 1
    ending = [f"and {rest} more"] if rest else []
    if totals.folded:
        ending.append(f"{_earlier(totals.folded)} {_KEPT_NO_MORE}")
    more = rest + totals.folded
    return Message(
        id="dg_" + _hashed(*(notice.id for notice in notices), *totals.covers, str(more)),
        kind=Kind.DIGEST,
        title=_digest_title(totals),
        text="\n".join([*(cut(one_line(line), room) for line in said), *ending]),
        level=worst((*totals.levels, *([Level.WARNING] if totals.folded else []))),
        notices=tuple(notices),
        more=more,
        folded=totals.folded,
    )


def earlier_of(key: Key, uid: str, *, first: int, last: int, before: float) -> Message:
    """Return the message that stands for the transitions ``first`` to ``last`` of a Rollout, which are kept no more.

    ``before`` is when the next one was (Unix seconds): without a uid it tells one life of a name from the next.
    """
    more = last - first + 1
    what = _earlier(more)
    which = f"number {first}" if more == 1 else f"numbers {first} to {last}"
    return Message(
        id="ea_" + _hashed(uid, key.namespace, key.name, str(first), str(last), repr(before)),
        kind=Kind.EARLIER,
        title=_titled(key, what),
        text=f"{what} ({which}) {_KEPT_NO_MORE}",
        level=Level.WARNING,
        key=key,
        more=more,
        folded=more,
    )


def trial(sink: str, *, by: str, at: float) -> Message:
    """Return a message that says it is a trial, by whom it was asked for, and when (Unix seconds)."""
    asked = one_line(by) or "a person unknown"
    return Message(
        id="tl_" + secrets.token_hex(12),
        kind=Kind.TRIAL,
        title=cut(f"Trial of the sink {one_line(sink)}", MOST_TITLE),
        text=cut(f"This is a trial, asked for by {cut(asked, 300)} at {rfc3339(at)}; nothing has happened.", MOST_TEXT),
        level=Level.NEWS,
    )


def title_of(notice: Notice) -> str:
    """Return who and what, as ``shop/checkout: Step started``."""
    return _titled(notice.key, headline(notice.reason, notice.phase))


def text_of(notice: Notice) -> str:
    """Return why, with the numbers: the sentence of the status, then where the Rollout stands."""
    facts = cut(facts_of(notice), _MOST_FACTS)
    room = MOST_TEXT - width(facts) - 2
    said = cut(notice.message, room)
    return f"{said}{'' if said.endswith(('.', '…', '!', '?')) or not said else '.'} {facts}".strip()


def facts_of(notice: Notice) -> str:
    """Return where the Rollout stood, in one sentence (empty: nothing is known)."""
    step = f"step {notice.step}{f' of {notice.steps}' if notice.steps else ''}" if notice.step else ""
    away = notice.stage and notice.stage != Stage.NORMAL
    failover = f"failover {notice.epoch} {in_words(notice.stage).lower()}{_on(notice.active)}" if away else ""
    parts = (
        f"attempt {notice.attempt}" if notice.attempt else "",
        step,
        f"revision {notice.revision}" if notice.revision else "",
        f"weights {_weights(notice)}" if notice.weights else "",
        failover,
    )
    said = ", ".join(filter(None, parts))
    return f"{said[0].upper()}{said[1:]}." if said else ""


def values_of(notice: Notice) -> Mapping[str, str]:
    """Return what the placeholders of a template stand for, each on one line."""
    values = {
        "rollout.namespace": notice.key.namespace,
        "rollout.name": notice.key.name,
        "reason": notice.reason,
        "message": notice.message,
        "phase": notice.phase,
        "attempt": str(notice.attempt),
        "step": str(notice.step),
        "steps": str(notice.steps),
        "revision": notice.revision,
        "weights": _weights(notice),
        "failover.phase": notice.stage,
        "failover.active": notice.active,
        "failover.epoch": str(notice.epoch),
        "number": str(notice.number),
        "at": rfc3339(notice.at),
        "link": notice.link,
    }
    return {name: one_line(value) for name, value in values.items()}


def _linked(notice: Notice, template: str) -> Notice:
    """Return the notice with its link; a value is a part of the address and never more than that."""
    values = {name: quote(value, safe="") for name, value in values_of(notice).items()}
    link = quote(fill(template, values).strip(), safe=_IN_ADDRESS, errors="replace")
    is_address = link.lower().startswith(("http://", "https://")) and len(link) <= MOST_LINK
    return replace(notice, link=link) if is_address else notice


def _digest_title(totals: Totals) -> str:
    told = {Level.BAD: "bad", Level.WARNING: "warning", Level.GOOD: "good"}
    parts = [f"{totals.levels[level]} {word}" for level, word in told.items() if totals.levels.get(level)]
    amount = sum(totals.levels.values()) + totals.folded
    of_them = f" ({', '.join(parts)})" if parts else ""
    rollouts = f"{totals.rollouts} Rollout{'' if totals.rollouts == 1 else 's'}"
    return f"{amount} transition{'' if amount == 1 else 's'} of {rollouts}{of_them}"


def _earlier(amount: int) -> str:
    return f"{amount} earlier transition{'' if amount == 1 else 's'}"


def _titled(key: Key, what: str) -> str:
    named = cut(one_line(str(key)), _MOST_KEY)
    return cut(f"{named}: {what}", MOST_TITLE)


def _weights(notice: Notice) -> str:
    return ", ".join(f"{name} {weight}" for name, weight in (notice.weights or {}).items())


def _on(active: str) -> str:
    return f" on {active}" if active else ""


def _hashed(*parts: str) -> str:
    told = "".join(f"{len(part)}:{part}" for part in parts)
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()

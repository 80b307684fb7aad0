"""The annotation ``rollout.dev/command``: a command as JSON, and back. Pure; called by ``kept`` and ``store``.

    {"id": "deploy-7", "action": "start", "args": {"revision": "7"}, "at": "2026-11-21T10:00:00Z", "reason": "..."}

Only ``action`` is needed, and ``at`` in what is applied: such a text stands in a manifest and is written again and
again, long after its id has left the status, and only its time tells that it is old.

Whatever stands there becomes a command, so that somebody is told: what cannot be read carries its ``problem``, and the
engine refuses it once. Without an id, and for what cannot be read, the id is made from the text: the same text is the
same command, and a corrected one with the same ``id`` is another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NoReturn

from rollout.engine.observation import Command
from rollout.engine.table import Action
from rollout.errors import Problem
from rollout.kube.resources import MANAGER
from rollout.spec.fields import printable

COMMAND = "rollout.dev/command"
MOST_CHARACTERS = 4096
MOST_DEPTH = 8
CLOCKS_DIFFER = 1.0
"""Seconds; the API server's times have no fractions."""

LONGEST_REASON = 1024
APPLIERS = frozenset({"kubectl-client-side-apply", "argocd-controller", "helm"})
"""Field managers that keep an object as a manifest says without server-side apply."""

FIELDS = ("id", "action", "args", "at", "reason", "by")

ID_ALLOWED = "letters, digits, - _ and ., at most 64, a letter or digit first"
AT_ALLOWED = "Unix seconds, or a time as 2026-11-21T10:00:00Z"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DATE = re.compile(r"[0-9-]{10}T[0-9:]{8}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")
_LATEST = 253_402_300_799.0
"""The last second of the year 9999."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote the annotation (the name of a field manager), and when, in Unix seconds (0: not known).

    ``applies``: it keeps the object as a manifest says, by server-side apply.
    """

    name: str
    at: float
    applies: bool = False

    @property
    def has_manifest(self) -> bool:
        """Return whether it writes the same text again whenever it looks."""
        return self.applies or self.name in APPLIERS


class _Unreadable(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))


def command_of(text: str, writers: Sequence[Writer] = ()) -> Command:
    """Return the command that stands in ``text``, as those wrote it who own the annotation.

    ``by`` in it counts only where it came through our API; otherwise it is said which field manager wrote it. That name
    is what a client calls itself: the API server's audit log knows the user behind it, and nothing here rests on it.
    Of somebody else's a time after that of the writing is taken for the latter, so that none stays fresh for ever.
    """
    ours = next((writer for writer in writers if writer.name == MANAGER), None)
    newest = max(writers, key=lambda writer: writer.at, default=Writer("", 0.0))
    by = f"annotation, field manager {printable(newest.name)}" if newest.name else "annotation"
    made_id = f"annotation-{sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"
    try:
        told = _parsed(text)
        applier = next((writer.name for writer in writers if writer.has_manifest), None)
        if told.get("at") is None and applier is not None:
            _refuse("at", f"is needed in what is applied, here by {printable(applier)}", "", AT_ALLOWED)
        return _read(told, made_id, newest.at, by="" if ours else by)
    except _Unreadable as no:
        return Command(made_id, "unreadable", at=newest.at, by=by, problem=f"{COMMAND} cannot be obeyed: {no}")


def text_of(command: Command) -> str:
    """Return the command as the annotation carries it.

    Raises:
        ValueError, TypeError, RecursionError: its arguments are not JSON, or it is too long.
    """
    told = {"id": command.id, "action": command.action, "at": command.at, "reason": command.reason, "by": command.by}
    written = {**told, "args": dict(command.args)}
    text = json.dumps(written, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    text.encode()
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"a command has at most {MOST_CHARACTERS} characters")
    return text


def _read(told: Mapping[str, Any], made_id: str, written_at: float, *, by: str) -> Command:
    for name in told:
        if name not in FIELDS:
            _refuse(printable(name), "is no field of a command", name, ", ".join(FIELDS[:-1]))
    return Command(
        id=_id(told.get("id"), made_id),
        action=_action(told.get("action")),
        args=_args(told.get("args")),
        at=_at(told.get("at"), written_at, latest=written_at + CLOCKS_DIFFER if by and written_at else _LATEST),
        reason=_text(told, "reason"),
        by=by or _text(told, "by"),
    )


def _parsed(text: str) -> Mapping[str, Any]:
    if len(text) > MOST_CHARACTERS:
        _refuse("", "it is too long", f"{len(text)} characters", f"at most {MOST_CHARACTERS}")
    try:
        told = json.loads(text, parse_constant=_no_number)
        json.dumps(told, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        _refuse("", "it is no JSON", text, 'an object such as {"id":"1","action":"pause"}')
    if not isinstance(told, Mapping):
        _refuse("", "it is no object", text, 'an object such as {"id":"1","action":"pause"}')
    if any(depth > MOST_DEPTH for depth in _depths(told)):
        _refuse("", "it is nested too deep", text, f"at most {MOST_DEPTH} levels")
    return told


def _no_number(constant: str) -> NoReturn:
    raise ValueError(constant)


def _depths(value: object) -> Iterator[int]:
    """Yield how deep each part of ``value`` lies, without recursion."""
    left = [(value, 1)]
    while left:
        part, depth = left.pop()
        yield depth
        inner = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
        left += [(one, depth + 1) for one in inner]


def _id(given: object, made_id: str) -> str:
    if given is None:
        return made_id
    number = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(number, str) or not _ID.fullmatch(number):
        _refuse("id", "is not usable", given, ID_ALLOWED)
    return number


def _action(given: object) -> str:
    if given is None:
        _refuse("action", "is required", "", ", ".join(Action))
    if not isinstance(given, str) or given not in set(Action):
        _refuse("action", "is not a command", given, ", ".join(Action))
    return given


def _args(given: object) -> Mapping[str, object]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        _refuse("args", "is no object", given, 'an object such as {"revision":"7"}')
    return dict(given)


def _at(given: object, written_at: float, *, latest: float) -> float:
    if given is None:
        return written_at
    try:
        at = _unix_seconds(given)
    except (ValueError, OverflowError):
        _refuse("at", "is no time", given, AT_ALLOWED)
    return at if at <= latest else written_at


def _unix_seconds(given: Any) -> float:  # noqa: ANN401 - any JSON
    number = isinstance(given, int | float) and not isinstance(given, bool)
    seconds = float(given) if number else _of_date(given)
    if not 0.0 <= seconds <= _LATEST:
        raise ValueError(AT_ALLOWED)
    return seconds


def _of_date(given: Any) -> float:  # noqa: ANN401 - any JSON
    """Return the Unix seconds of a time with its zone; ``date`` and many programs write an offset in place of Z."""
    if not isinstance(given, str) or not _DATE.fullmatch(given):
        raise ValueError(AT_ALLOWED)
    return datetime.fromisoformat(given).timestamp()


def _text(told: Mapping[str, Any], field: str) -> str:
    given = told.get(field)
    if given is None:
        return ""
    if not isinstance(given, str) or len(given) > LONGEST_REASON:
        _refuse(field, "is no short text", given, f"at most {LONGEST_REASON} characters")
    return "".join(char if char.isprintable() else " " for char in given)


def _refuse(field: str, message: str, given: object, allowed: str) -> NoReturn:
    shown = given if isinstance(given, str) else json.dumps(given)
    raise _Unreadable(Problem(field, message, given=printable(shown), allowed=allowed))

"""What is told of a Rollout as a Kubernetes event: a transition, or a command that was refused. Pure.

Called by ``rollout.kube.events``, which sends it. The name of an event is made from the Rollout's uid and from what
happened (the number of the transition, the id of the command): telling it again after a crash finds it there already.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from rollout.engine.reasons import Reason
from rollout.engine.state import Handled, Transition
from rollout.engine.table import Phase
from rollout.failover.reasons import Reason as Why
from rollout.kube.resources import CONFIG_MAPS, EVENTS, ROLLOUTS, Document, Resource
from rollout.ports import Key
from rollout.signals import Position

CONTROLLER = "rollout.dev/controller"
"""Who tells, in ``reportingController``."""

MOST_NOTE_BYTES = 1024
MOST_WORD_CHARACTERS = 128
MOST_NAME_CHARACTERS = 200

BAD_PHASES = frozenset({Phase.ABORTING, Phase.ABORTED, Phase.INVALID})
"""A transition into one of these is a warning, whatever check or person it came from."""

BAD_REASONS = frozenset(
    {
        Reason.CANARY_CARRIES_ALL,
        Reason.CANARY_LOST,
        Reason.CANARY_NOT_READY,
        Reason.DEADLINE_EXCEEDED,
        Reason.DRIFT_DETECTED,
        Reason.ON_BACKUP,
        Reason.OWNERSHIP_CONFLICT,
        Reason.PROMOTION_STUCK,
        Reason.ROLES_UNKNOWN,
        Reason.STABLE_LOST,
        Reason.UNRECORDED,
        Reason.WEIGHTS_INEFFECTIVE,
    }
)
"""Reasons that are warnings in every phase."""

BAD_WHYS = frozenset(
    {
        Why.ALL_UNHEALTHY,
        Why.BACKUP_DOWN,
        Why.BLIND,
        Why.FAILBACK_BROKE,
        Why.FAILED_OVER,
        Why.INEFFECTIVE,
        Why.LATCHED,
        Why.NO_HEALTHY_BACKUP,
        Why.OBSERVING,
        Why.PARTLY_DOWN,
        Why.PRIMARY_DOWN,
        Why.PROPOSED,
        Why.RESCUED,
        Why.STOPPED,
        Why.SUSPECT_OBSERVER,
        Why.SUSPENDED,
    }
)
"""Reasons of failover that are warnings: something is down, or cannot be done about it. What phase the attempt is in
says nothing of that."""

WHYS = frozenset(Why) - {Why.ON_BACKUP}
"""Reasons that only failover has; the engine says for itself what it has found on a backup."""

GOOD_REASONS = frozenset({Reason.REVISION_WITHDRAWN, Reason.DELETING})
"""Reasons that are none even where an attempt is aborted for them: somebody wanted it so, and nothing was bad."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: of which Rollout, what tells it from others (``mark``), why, and when (Unix seconds).

    ``resource`` is what it is of, where that is no Rollout.
    """

    key: Key
    uid: str
    mark: str
    reason: str
    message: str
    action: str
    at: float
    warning: bool = False
    resource: Resource = ROLLOUTS


def of_transition(key: Key, uid: str, transition: Transition) -> Notice:
    """Return what is told of a transition: it did what its phase says, one of failover what failover's says."""
    reason, action, failing = transition.reason, transition.phase.value, transition.failover
    bad = reason in BAD_REASONS or (transition.phase in BAD_PHASES and reason not in GOOD_REASONS)
    if failing is not None and reason in WHYS:
        bad, action = reason in BAD_WHYS, failing.phase.value
    mark = f"transition {transition.number}"
    return Notice(key, uid, mark, reason, transition.message, action, transition.at, warning=bad)


def of_refusal(key: Key, uid: str, handled: Handled, *, at: float) -> Notice:
    """Return what is told of a command that was refused ``at`` this time."""
    return Notice(key, uid, f"command {handled.id}", handled.reason, handled.message, handled.action, at, warning=True)


def of_switch(key: Key, uid: str, position: Position, message: str) -> Notice:
    """Return what is told of the operator's switch, of which a ConfigMap is the record."""
    stopped = position.stopped
    reason, action = ("FailoverStopped", "Stop") if stopped else ("FailoverReleased", "Release")
    mark = f"switch {stopped} {position.at}"
    return Notice(key, uid, mark, reason, message, action, position.at, warning=stopped, resource=CONFIG_MAPS)


def event_of(notice: Notice, *, instance: str) -> Document:
    """Return the event as the API server takes it; ``instance`` is the pod that tells.

    Raises:
        ValueError, OverflowError, OSError: the time is none.
    """
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": event_name(notice), "namespace": notice.key.namespace},
        "eventTime": _micro_time(notice.at),
        "type": "Warning" if notice.warning else "Normal",
        "reason": _word(notice.reason),
        "action": _word(notice.action),
        "note": notice.message.encode()[:MOST_NOTE_BYTES].decode(errors="ignore"),
        "regarding": {
            "apiVersion": notice.resource.api_version,
            "kind": notice.resource.kind,
            "namespace": notice.key.namespace,
            "name": notice.key.name,
            "uid": notice.uid,
        },
        "reportingController": CONTROLLER,
        "reportingInstance": _word(instance),
    }


def event_name(notice: Notice) -> str:
    """Return the name of the event."""
    mark = hashlib.sha256(f"{notice.uid}/{notice.mark}".encode()).hexdigest()[:16]
    return f"{notice.key.name[:MOST_NAME_CHARACTERS].rstrip('.-')}.{mark}"


def series_of(count: int, last_at: float) -> Document:
    """Return the ``series`` of an event that was told ``count`` times (2 at least), at ``last_at`` last.

    Raises:
        ValueError, OverflowError, OSError: the time is none.
    """
    return {"count": count, "lastObservedTime": _micro_time(last_at)}


def _micro_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _word(text: str) -> str:
    """Return the text as short as the API server wants it; it takes no empty one."""
    return str(text)[:MOST_WORD_CHARACTERS] or "Unknown"

"""Which transitions a sink is told of: by the words for which it is asked, by namespace and by labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rollout.engine.state import Transition
from rollout.engine.table import Phase
from rollout.failover.table import Stage
from rollout.notify.sinks import Sink

ALL: frozenset[str] = frozenset()
"""No words: whatever happens is told."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What passes: a transition with a word in ``asked`` and one in ``taken`` (empty: any); ``loud`` ones at any hour.

    ``asked`` is the Rollout's wish and ``taken`` the sink's. ``shut``: nothing passes.
    """

    asked: frozenset[str] = ALL
    taken: frozenset[str] = ALL
    loud: frozenset[str] = ALL
    shut: bool = False

    def passes(self, words: frozenset[str]) -> bool:
        """Return whether a transition with these words is told."""
        return not self.shut and all(not wanted or words & wanted for wanted in (self.asked, self.taken))


def words_of(made: Transition, before: Transition | None) -> frozenset[str]:
    """Return the words that a transition is asked for with: its reason, the phase and failover's that it went into.

    ``before`` is the one before it; None: there is none, or nobody knows it any more.
    """
    words = {made.reason}
    phase = before.phase if before is not None else Phase.IDLE if made.number == 1 else None
    if made.phase is not phase:
        words.add(made.phase.value)
    stage = before.failover.phase if before is not None and before.failover is not None else Stage.NORMAL
    if made.failover is not None and made.failover.phase is not stage:
        words.add(made.failover.phase.value)
    return frozenset(words)


def fits(sink: Sink, namespace: str, labels: Mapping[str, str]) -> bool:
    """Return whether the sink takes anything of a Rollout with this namespace and these labels."""
    if sink.namespaces and not any(_matches(pattern, namespace) for pattern in sink.namespaces):
        return False
    return all(labels.get(name) == value for name, value in sink.labels.items())


def _matches(pattern: str, namespace: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in re.split(r"\*+", pattern)), namespace) is not None

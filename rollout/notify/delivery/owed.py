"""What a sink is owed of one Rollout: worked out from the transitions that are kept and the number it was told last."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from rollout.engine.state import Transition
from rollout.notify.delivery.desk import NO_LIFE, Life
from rollout.notify.delivery.filters import Rule, words_of


@dataclass(frozen=True, slots=True)
class Due:
    """One thing to tell: a transition, or (None) that those numbered ``first`` to ``number`` are not kept any more.

    ``at`` is Unix seconds; ``loud``: it is told at any hour; ``life`` is that of the Rollout which made it.
    """

    number: int
    at: float
    transition: Transition | None = None
    first: int = 0
    loud: bool = False
    life: Life = NO_LIFE


@dataclass(frozen=True, slots=True)
class Owed:
    """What is to be told, in order; ``skipped`` is the number up to which nothing is, before the first of them."""

    skipped: int
    dues: tuple[Due, ...] = ()

    @property
    def loud(self) -> tuple[Due, ...]:
        """Return what is told although it is a quiet hour: up to the last that is loud, as order demands."""
        last = max((place for place, due in enumerate(self.dues) if due.loud), default=-1)
        return self.dues[: last + 1]


def owed(transitions: Sequence[Transition], after: int, rule: Rule, life: Life = NO_LIFE) -> Owed:
    """Return what is owed to a sink that was told up to number ``after``, of the transitions that are kept."""
    place = bisect_right(transitions, after, key=lambda made: made.number)
    left = transitions[place:]
    if not left:
        return Owed(after)
    dues = list[Due]()
    if left[0].number > after + 1 and not rule.shut:
        dues.append(Due(left[0].number - 1, left[0].at, first=after + 1, life=life))
    before = transitions[place - 1] if place else None
    for made in left:
        words = words_of(made, before)
        if rule.passes(words):
            dues.append(Due(made.number, made.at, made, loud=bool(words & rule.loud), life=life))
        before = made
    first = dues[0] if dues else None
    skipped = left[-1].number if first is None else after if first.transition is None else first.number - 1
    return Owed(skipped, tuple(dues))

"""Makes messages of what is owed, in the words of one sink; a list counts all and shows the worst and the latest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import chain

from rollout.notify.delivery.book import Book
from rollout.notify.delivery.owed import Due
from rollout.notify.levels import WORST_FIRST, level_of
from rollout.notify.message import Level, Message, Notice
from rollout.notify.notices import MOST_LISTED, Totals, digest_of, earlier_of, message_of, notice_of
from rollout.notify.sinks import Templates
from rollout.ports import Key


@dataclass(frozen=True, slots=True)
class Share:
    """What a list stands for of one Rollout: all from number ``first`` to what is due ``last``.

    ``levels`` has how many transitions of each level, ``folded`` how many are kept no more.
    """

    first: int
    last: Due
    levels: Mapping[Level, int]
    folded: int


@dataclass(slots=True)
class Listing:
    """What one message with a list stands for, of each Rollout."""

    shares: dict[Key, Share] = field(default_factory=dict)
    _best: list[tuple[int, int, Key, Due]] = field(default_factory=list)

    def add(self, key: Key, dues: Sequence[Due]) -> None:
        """Take in what is owed of a Rollout, in order."""
        levels, lines, folded = Counter[Level](), list[tuple[int, int, Key, Due]](), 0
        for place, due in enumerate(dues):
            if due.transition is None:
                folded += due.number - due.first + 1
                continue
            level = level_of(due.transition.reason, due.transition.phase)
            levels[level] += 1
            lines.append((WORST_FIRST.index(level), len(dues) - place, key, due))
        self.shares[key] = Share(dues[0].first or dues[0].number, dues[-1], levels, folded)
        self._best = nsmallest(MOST_LISTED, chain(self._best, lines), key=lambda line: line[:2])

    def shown(self) -> Mapping[Key, tuple[Due, ...]]:
        """Return what is shown of each Rollout, in order; Rollouts with what is bad come first."""
        found = dict[Key, list[Due]]()
        for *_, key, due in self._best:
            if key in self.shares:
                found.setdefault(key, []).append(due)
        return {key: tuple(sorted(dues, key=lambda due: due.number)) for key, dues in found.items()}

    def totals(self) -> Totals:
        """Return all of it as numbers."""
        levels, folded, covers = Counter[Level](), 0, list[str]()
        for key, share in self.shares.items():
            levels.update(share.levels)
            folded += share.folded
            covers.append(f"{share.last.life[0]} {key} {share.first} {share.last.number} {share.last.at}")
        return Totals(len(self.shares), levels, folded, tuple(covers))


class Writer:
    """Writes for one sink."""

    def __init__(self, book: Book, templates: Templates, link: str | None) -> None:
        """Write in the words of ``templates``; ``link`` is a template, too."""
        self._book = book
        self._templates = templates
        self._link = link

    def one(self, key: Key, due: Due, thread: str) -> Message:
        """Return the message of one thing that is due."""
        if due.transition is None:
            return earlier_of(key, due.life[0], first=due.first, last=due.number, before=due.at)
        return message_of(*self._notices(key, (due,)), templates=self._templates, thread=thread)

    def many(self, listing: Listing) -> Message:
        """Return one message of all that is listed."""
        shown = (self._notices(key, dues) for key, dues in listing.shown().items())
        return digest_of(tuple(chain.from_iterable(shown)), listing.totals())

    def _notices(self, key: Key, dues: Sequence[Due]) -> list[Notice]:
        state = self._book.state(key)
        made = ((due.transition, due.life[0]) for due in dues if due.transition is not None)
        return [notice_of(key, uid, transition, state=state, link=self._link) for transition, uid in made]

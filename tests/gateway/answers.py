"""What clients of the lab noted, and what a test asks of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median

from tests.waiting import until

_ENOUGH = 20
"""So many answers in a row show who answers now."""


@dataclass(frozen=True, slots=True)
class Answer:
    """When it was sent and answered (monotonic seconds), its kind, who answered, what was wrong (empty: nothing)."""

    sent: float
    at: float
    kind: str
    who: str
    wrong: str


class Answers:
    """The answers in a file that grows."""

    def __init__(self, path: Path) -> None:
        """Read from ``path``."""
        self._path = path
        self._read = 0
        self._rest = ""
        self._all: list[Answer] = []

    def _read_on(self) -> None:
        if self._path.exists():
            with self._path.open(encoding="utf-8") as file:
                file.seek(self._read)
                text = self._rest + file.read()
                self._read = file.tell()
            *lines, self._rest = text.split("\n")
            self._all += [_answer(line) for line in lines]

    def all(self, *, since: float = 0.0, kind: str = "") -> list[Answer]:
        """Return the answers to what was sent since a moment, oldest first, of one kind or of all."""
        self._read_on()
        return [answer for answer in self._all if answer.sent >= since and kind in {"", answer.kind}]

    def last(self, count: int, *, kind: str, since: float = 0.0) -> list[Answer]:
        """Return the newest answers of a kind to what was sent since a moment, at most so many."""
        self._read_on()
        fresh = (answer for answer in reversed(self._all) if answer.kind == kind)
        return [answer for answer in islice(fresh, count) if answer.sent >= since]

    def forget(self) -> None:
        """Let the answers up to now not count: those of a route that the gateway did not serve yet."""
        self.all()
        self._all.clear()

    def failed(self, *, since: float = 0.0, kind: str = "") -> list[Answer]:
        """Return the bad ones among them."""
        return [answer for answer in self.all(since=since, kind=kind) if answer.wrong]

    def shares(self, *, since: float = 0.0, kind: str = "") -> dict[str, float]:
        """Return who answered which part."""
        found = self.all(since=since, kind=kind)
        counts = Counter(answer.who for answer in found)
        return {who: count / len(found) for who, count in counts.items()}

    def seen(self, who: str, *, since: float = 0.0, kind: str = "") -> int:
        """Return how many a backend answered."""
        return sum(answer.who == who for answer in self.all(since=since, kind=kind))

    async def answered_by(self, *names: str, kinds: Iterable[str] = ("http", "grpc"), seconds: float = 15.0) -> float:
        """Wait until only these answer anew, over each kind; return when the last one began to."""
        begun = time.monotonic()

        def is_so() -> bool:
            fresh = [self.last(_ENOUGH, kind=kind, since=begun) for kind in kinds]
            return all(len(found) == _ENOUGH and {one.who for one in found} <= set(names) for found in fresh)

        await until(is_so, seconds=seconds)
        return max(self.first(lambda one: one.who in names, since=begun, kind=kind).at for kind in kinds)

    def first(self, fact: Callable[[Answer], bool], *, since: float = 0.0, kind: str = "") -> Answer:
        """Return the first answer of which it is true."""
        return next(answer for answer in self.all(since=since, kind=kind) if fact(answer))

    def median_seconds(self, *, since: float = 0.0, kind: str = "") -> float:
        """Return how long an answer took."""
        return median(answer.at - answer.sent for answer in self.all(since=since, kind=kind))

    def summary(self, *, since: float = 0.0) -> str:
        """Return who answered what how often."""
        counts = Counter((answer.kind, answer.who, answer.wrong) for answer in self.all(since=since))
        return "; ".join(f"{' '.join(what)}: {count}" for what, count in sorted(counts.items()))


def _answer(line: str) -> Answer:
    sent, at, kind, who, wrong = line.split("\t")
    return Answer(float(sent), float(at), kind, who, wrong)

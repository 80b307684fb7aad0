"""Failover to read: the words of `describe`, `why` and `watch` for where it stands, and its history with causes.

Pure; knows what the API answers, and neither terminal nor server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rollout.api.failover_models import FailoverView, SignalView
from rollout.api.models import Live, TransitionItem
from rollout.cli.texts import age, safe, span
from rollout.cli.transitions import stamp

DAY = 86_400.0

HEALTH = ("BACKEND", "ROLE", "SHARE", "HEALTH", "SIGNAL", "SAYS", "FOR", "SEEN", "EVIDENCE")
"""What the rows of health have."""

COMMANDS: Mapping[str, str] = {
    "WaitingForFailback": "rollout failback {key} --epoch {epoch}",
    "FailoverProposed": "rollout approve {key} --epoch {epoch}",
    "Latched": "rollout unlatch {key}",
    "HeldByCommand": "rollout unlatch {key}",
}
"""What a person may type who is waited for, by the reason."""


def is_quiet(found: FailoverView | None) -> bool:
    """Return whether there is nothing to tell but that failover is there: it is Normal, and ready."""
    return found is None or (found.phase == "Normal" and found.ready)


def standing(found: FailoverView, now: float) -> str:
    """Return where failover stands, in a few words: ``FailedOver, dr active for 12m, number 3``."""
    place = f", {found.active} active" if found.active else ""
    since = found.away_since if found.away_since is not None else found.since
    lasts = f" for {age(now - since)}" if since and found.phase != "Normal" else ""
    number = f", number {found.epoch}" if found.epoch else ""
    return safe(f"{found.phase}{place}{lasts}{number}")


def journey(found: FailoverView) -> str:
    """Return how far it is: ``failback to v1, step 2 of 3: 10%, [50%], 100%``; empty where it goes nowhere."""
    way = found.journey
    if way is None:
        return ""
    steps = ", ".join(f"[{part}%]" if place == way.step else f"{part}%" for place, part in enumerate(way.steps, 1))
    return safe(
        f"{'failback' if way.back else 'ramp-up'} to {way.target}, step {way.step} of {len(way.steps)}: {steps}"
    )


def countdown(found: FailoverView) -> str:
    """Return how long it still waits, ``about 40s``; empty where nobody knows."""
    seconds = [one.seconds for one in found.missing if one.seconds is not None]
    if not seconds:
        return ""
    return f"about {span(max(seconds)) if max(seconds) < DAY else age(max(seconds))}"


def to_type(live: Live) -> str:
    """Return the command that a person is waited for with, empty where nobody is."""
    found = live.failover
    command = COMMANDS.get(found.reason, "") if found is not None else ""
    return command.format(key=f"{live.namespace}/{live.name}", epoch=found.epoch if found is not None else 0)


def drills(found: FailoverView, now: float) -> Iterator[tuple[str, str]]:
    """Yield titles and texts about drills."""
    if found.drilling is not None:
        yield "Drill", f"{found.drilling}, under way"
    last = found.last_drill
    if last is not None:
        yield "Last drill", f"{last.result} {age(now - last.at)} ago ({last.id}){f': {last.why}' if last.why else ''}"
    if found.next_drill_at is not None:
        yield "Next drill", stamp(found.next_drill_at)


def health_rows(found: FailoverView, now: float) -> Iterator[list[str]]:
    """Yield a row of ``HEALTH`` for each signal of each backend, and one for a backend without."""
    for name, each in found.backends.items():
        share = f"{each.share}%" if each.share is not None else "-"
        who = [safe(name), f"{each.role}{', at rest' if each.resting else ''}", share, safe(each.health)]
        said = [_signal(signal, now) for signal in each.signals] or [["-"] * 5]
        yield from ([*(who if not place else [""] * 4), *row] for place, row in enumerate(said))


def _signal(each: SignalView, now: float) -> list[str]:
    """Return what one signal says: its name, its word, for how long, how long ago it was seen, the evidence."""
    lasts = age(now - each.since) if each.since else "-"
    return [safe(each.signal), safe(each.health), lasts, f"{age(each.age_seconds)} ago", safe(each.evidence)]


# ---------------------------------------------------------------- history


@dataclass(frozen=True, slots=True)
class Failing:
    """One failover: number, backup, when it began, when it was over (None: it is not), and what caused it."""

    number: int
    backup: str
    began_at: float
    ended_at: float | None
    cause: str


def failovers(items: Sequence[TransitionItem]) -> list[Failing]:
    """Return the failovers that these transitions tell of (newest first, as they are), newest first."""
    found: list[Failing] = []
    running: Failing | None = None
    for item in reversed(items):
        at = item.failover
        if at is None:
            continue
        if at.active and (running is None or at.epoch > running.number):
            found += [replace(running, ended_at=item.at)] if running is not None else []
            running = Failing(at.epoch, at.active, item.at, None, item.message)
        elif not at.active and running is not None:
            found.append(replace(running, ended_at=item.at))
            running = None
    return [*([running] if running is not None else []), *reversed(found)]


def failover_rows(found: Sequence[Failing], now: float) -> list[list[str]]:
    """Return failovers as rows: number, when, backup, how long, cause."""
    return [
        [
            str(each.number),
            stamp(each.began_at),
            safe(each.backup),
            age((each.ended_at or now) - each.began_at) + ("" if each.ended_at is not None else " so far"),
            safe(each.cause),
        ]
        for each in found
    ]

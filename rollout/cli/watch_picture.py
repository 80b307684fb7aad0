"""Draws what `rollout watch` sees on a terminal: weights and evidence as bars, what the next step waits for, and why.

A spectator of ``rollout.cli.watching``; ``picture`` turns a look into what rich draws.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.live import Live as Screen
from rich.table import Table
from rich.text import Text

from rollout.api.models import CheckView, Live, TransitionItem
from rollout.cli.failovers import countdown, is_quiet, journey, standing, to_type
from rollout.cli.outputs import COLOURS
from rollout.cli.texts import percent, safe, span
from rollout.cli.transitions import clock
from rollout.cli.watching import Look
from rollout.engine.table import Phase

BAR = (8, 40)
BESIDE_BAR = 62
MOST_TRANSITIONS = 50
FEWEST_TRANSITIONS = 3
BESIDE_TRANSITIONS = 18


class Picture:
    """A spectator that draws every look in place."""

    def __init__(self, screen: Screen) -> None:
        """Draw on ``screen``, which the caller opens and closes."""
        self._screen = screen
        self._happened: deque[TransitionItem] = deque(maxlen=MOST_TRANSITIONS)

    def look(self, look: Look) -> None:
        """Draw the look."""
        self._happened.extendleft(look.transitions)
        width, height = self._screen.console.size
        self._screen.update(picture(look, tuple(self._happened), width=width, height=height), refresh=True)


def picture(look: Look, happened: Sequence[TransitionItem], *, width: int, height: int) -> RenderableType:
    """Return the look as rich draws it, with about as many of ``happened`` (newest first) as fit."""
    live = look.live
    bar_width = max(BAR[0], min(BAR[1], width - BESIDE_BAR))
    most = max(FEWEST_TRANSITIONS, height - BESIDE_TRANSITIONS - len(live.checks) - len(live.missing))
    parts = [_head(look), _sentence(live), *_failover(live), Text(), _bars(live, bar_width)]
    parts += [*_verdict(live), *_missing(live)]
    parts += [Text(safe(problem), style="red") for problem in live.problems]
    if look.away:
        parts += [Text(), Text(f"{safe(look.away)}; trying again. What stands above is older.", style="bold yellow")]
    return Group(*parts, *_happened(happened[:most]))


def bar(share: float, style: str, width: int) -> Text:
    """Return a bar of ``width`` characters, ``share`` (0 to 1) of it filled; anything above 0 shows."""
    within = max(0.0, min(1.0, share))
    filled = max(1, round(within * width)) if within > 0 else 0
    return Text.assemble(("█" * filled, style), ("░" * (width - filled), "dim"), no_wrap=True)


def _head(look: Look) -> RenderableType:
    live = look.live
    phase, seconds = safe(live.phase) or "new", span(look.seconds)
    grid = Table.grid(expand=True, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=len(phase))
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    grid.add_column(no_wrap=True, min_width=len(seconds), justify="right")
    name = Text(safe(f"{live.namespace}/{live.name}"), style="bold")
    grid.add_row(Text(phase, style=_style(live.phase)), name, Text(seconds, style="dim"))
    return Group(grid, _place(live))


def _place(live: Live) -> Text:
    """Return the attempt, its revision, and the plan with the step of now."""
    parts = [f"attempt {live.attempt}"] if live.attempt else []
    parts += [safe(live.revision)] if live.revision else []
    parts += [f"step {live.step} of {len(live.steps)}:"] if live.step else []
    plan = [
        (f" {percent(weight)}", "bold yellow" if number == live.step else "" if number > live.step else "dim")
        for number, weight in enumerate(live.steps, 1)
    ]
    return Text.assemble(" · ".join(parts), *(plan if live.step else ()), no_wrap=True, overflow="ellipsis")


def _style(phase: str) -> str:
    return f"bold {COLOURS[phase]}" if phase in COLOURS else "bold"


def _sentence(live: Live) -> Text:
    return Text(safe(f"{live.reason}: {live.message}" if live.reason else live.message))


def _failover(live: Live) -> Iterator[Text]:
    """Yield where failover stands, how far it is on its way, and what is typed to go on; nothing while all is well."""
    found = live.failover
    if found is None or is_quiet(found):
        return
    soon = countdown(found)
    place = Text.assemble(("failover ", "dim"), (standing(found, live.at), _style(found.phase)))
    yield place.append(f"  next in {soon}", style="cyan") if soon else place
    if found.journey is not None:
        yield Text(f"  {journey(found)}")
    if found.message != live.message and found.phase != "Normal":
        yield Text(safe(f"  {found.reason}: {found.message}"))
    if not found.ready:
        yield Text(safe(f"  not ready, {found.ready_reason}: {found.ready_message}"), style="yellow")
    if command := to_type(live):
        yield Text(safe(f"  $ {command}"), style="bold")


def _bars(live: Live, width: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=24)
    grid.add_column(no_wrap=True, width=width)
    grid.add_column(overflow="fold")
    for row in (*_weights(live, width), *_hold(live, width), *_requests(live, width)):
        grid.add_row(*row)
    for check in live.checks:
        grid.add_row(*_check(check, width))
    return grid


Row = tuple[Text, Text, Text]


def _weights(live: Live, width: int) -> Iterator[Row]:
    weights = live.weights.observed or live.weights.intended
    whole = sum(weights.values()) or 1
    roles = {live.stable: ("stable", "green"), live.canary: ("canary", "yellow")}
    for name, weight in sorted(weights.items(), key=lambda item: list(roles).index(item[0]) if item[0] in roles else 2):
        role, style = roles.get(name, ("backup", "blue"))
        health = live.health.get(name)
        ready = f"  {health.ready} of {health.total} ready" if health is not None and health.known else ""
        label = Text.assemble((role, style), f" {safe(name)}")
        yield label, bar(weight / whole, style, width), Text(f"{percent(100 * weight / whole)}{ready}")


def _hold(live: Live, width: int) -> Iterator[Row]:
    hold = live.hold
    if hold is not None:
        share = hold.seconds / hold.of_seconds if hold.of_seconds else 1.0
        left = f"{span(hold.left_seconds)} left of {span(hold.of_seconds)}"
        yield Text("hold"), bar(share, "cyan", width), Text(left if hold.running else f"{left}, standing still")


def _requests(live: Live, width: int) -> Iterator[Row]:
    found = live.requests
    if found is not None:
        rate = f", {found.per_second:.3g}/s" if found.per_second is not None else ""
        share = found.canary / found.needed if found.needed else 1.0
        yield Text("requests"), bar(share, "cyan", width), Text(f"{found.canary} of {found.needed} judged{rate}")


def _check(check: CheckView, width: int) -> Row:
    style = "red" if check.share >= 1 or check.verdict == "Fail" else "magenta"
    counts = f"canary {_arm(check.canary.bad, check.canary.total)}, stable {_arm(check.stable.bad, check.stable.total)}"
    label = Text(f"evidence {safe(check.name)}{' (dry run)' if check.dry_run else ''}", style="dim")
    return label, bar(check.share, style, width), Text(counts, style="dim")


def _arm(bad: int, total: int) -> str:
    return f"{bad}/{total} ({bad / total:.2%})" if total else f"{bad}/{total}"


def _verdict(live: Live) -> Iterator[Text]:
    if live.verdict is not None:
        style = {"Pass": "green", "Continue": "", "Hold": "yellow", "Fail": "red"}.get(live.verdict, "")
        yield Text()
        yield Text.assemble((f"{safe(live.verdict)} ", style), safe(live.verdict_message or live.verdict_reason or ""))


def _missing(live: Live) -> Iterator[RenderableType]:
    if live.missing:
        grid = Table.grid(padding=(0, 1))
        for missing in live.missing:
            soon = f"about {span(missing.seconds)}" if missing.seconds is not None else ""
            grid.add_row(Text("waits for", style="dim"), Text(safe(missing.message)), Text(soon, style="cyan"))
        yield grid


def _happened(items: Iterable[TransitionItem]) -> Iterator[RenderableType]:
    grid = Table.grid(padding=(0, 1))
    for least in (len("00:00:00"), max(map(len, Phase))):
        grid.add_column(no_wrap=True, min_width=least)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    for item in items:
        where = item.failover.phase if item.failover is not None and item.failover.phase != "Normal" else item.phase
        phase = Text(safe(where), style=COLOURS.get(where, ""))
        grid.add_row(Text(clock(item.at), style="dim"), phase, Text(safe(item.message)))
    if grid.row_count:
        yield Text()
        yield grid

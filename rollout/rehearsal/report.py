"""A rehearsal as a readable timeline: what happened in the world, what the controller did, and what it cost.

Called by ``rollout rehearse``; draws on a rich console and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rollout.engine.reasons import Reason
from rollout.failover.table import Stage
from rollout.rehearsal.outcome import Outcome
from rollout.rehearsal.reading import Rehearsal
from rollout.rehearsal.scenario import Event
from rollout.spec.quantities import format_duration

BAR_CELLS = 20
WORTH_SAYING_SECONDS = 2.0
"""A reason that stood shorter than this is not told."""

PIPED_WIDTH = 4000
"""Columns where there is no terminal: no line is broken, so that every line can be searched for."""

_STYLES = {"Aborting": "bold red", "Aborted": "bold red", "Paused": "yellow", "Invalid": "yellow", "Promoting": "green"}


def told_on(console: Console, rehearsal: Rehearsal, outcome: Outcome) -> str:
    """Return the whole rehearsal as ``console`` would show it, without spaces at the ends of lines."""
    with console.capture() as captured:
        _show(console, rehearsal, outcome)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def console_for(stream: TextIO) -> Console:
    """Return a console on ``stream``: as wide as the terminal, or wide enough for any line."""
    console = Console(file=stream, highlight=False)
    return console if console.is_terminal else Console(file=stream, highlight=False, width=PIPED_WIDTH)


def _show(console: Console, rehearsal: Rehearsal, outcome: Outcome) -> None:
    scenario = rehearsal.scenario
    length = format_duration(scenario.until)
    console.print(f"Rehearsal of {rehearsal.layout.rollout}: {length} of simulated time, seed {scenario.seed}\n")
    console.print(_timeline(rehearsal, outcome))
    console.print()
    console.print(_requests(outcome))
    console.print(f"\nAfter {length}: {_ending(outcome)}")


def _ending(outcome: Outcome) -> str:
    final = outcome.final
    if not final:
        return "nothing was recorded."
    style = _STYLES.get(final["phase"], "bold")
    return f"[{style}]{final['phase']}[/], {escape(final['reason'])}: {escape(final['message'])}"


def _timeline(rehearsal: Rehearsal, outcome: Outcome) -> Table:
    table = Table.grid(padding=(0, 2))
    for justify in ("right", "left", "left", "left", "left"):
        table.add_column(justify=justify, vertical="top", no_wrap=justify == "right")
    table.add_column(vertical="top", overflow="fold")
    rows = [*_events(rehearsal), *_refusals(outcome), *_transitions(rehearsal, outcome), *_repairs(outcome)]
    rows += _sayings(outcome, rehearsal.scenario.until)
    for at, cells in sorted(rows, key=lambda row: row[0]):
        table.add_row(_clock(at), *cells)
    return table


Row = tuple[float, tuple[str, ...]]


def _events(rehearsal: Rehearsal) -> Iterator[Row]:
    for event in rehearsal.scenario.events:
        if event.at <= rehearsal.scenario.until:
            yield event.at, ("", "", "", f"[cyan]{event.kind}[/]", f"[cyan]{escape(told(event))}[/]")


def told(event: Event) -> str:
    """Return what an event says, in short."""
    said = event.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"at"})
    if event.kind in {"spec", "policy"}:
        return f"{event.kind} with {', '.join((event.spec or event.policy or {}).keys())}"
    head = said.pop(event.kind)
    words = [_short(head), *(f"{name} {_short(value)}" for name, value in said.items())]
    return " ".join(words)


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_short(inner)}" for name, inner in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _refusals(outcome: Outcome) -> Iterator[Row]:
    for refused in outcome.refused:
        sentence = f"{refused['command']} refused: {refused['message']}"
        yield refused["at"], ("", "", "", f"[magenta]{refused['reason']}[/]", f"[magenta]{escape(sentence)}[/]")


def _transitions(rehearsal: Rehearsal, outcome: Outcome) -> Iterator[Row]:
    layout = rehearsal.layout
    for made in outcome.transitions:
        told = bar(made["weights"], layout.canary, layout.backups)
        yield (
            made["at"],
            (told, shares(made["weights"]), _standing(made), made["reason"], escape(made["message"])),
        )


def _standing(made: Mapping[str, Any]) -> str:
    """Return where the attempt stands, and where failover does unless that is Normal."""
    words = [f"[{_STYLES.get(made['phase'], 'bold')}]{made['phase']}[/]"]
    words += [f"step {made['step']}"] if made["step"] else []
    failover = made["failover"]
    if failover is not None and failover["phase"] != Stage.NORMAL:
        number = f" {failover['epoch']}" if failover["active"] else ""
        words.append(f"[bold red]{failover['phase']}{number}[/]")
    return " ".join(words)


def _repairs(outcome: Outcome) -> Iterator[Row]:
    """Yield the writes that put weights back: those that the route was given before."""
    latest: dict[str, Mapping[str, int]] = {}
    for write in outcome.writes:
        if latest.get(write["route"]) == write["weights"]:
            yield write["at"], ("", shares(write["weights"]), "", "put back", escape(f"weights of {write['route']}"))
        latest[write["route"]] = write["weights"]


def _sayings(outcome: Outcome, until: float) -> Iterator[Row]:
    """Yield what was said between the transitions and stood for a while, but for the hold time of a new step."""
    ends = [*(said.at for said in outcome.said[1:]), until]
    known = {str(Reason.HOLDING)}
    for said, end in zip(outcome.said, ends, strict=False):
        if said.moved:
            known = {str(Reason.HOLDING), said.reason}
        elif end - said.at >= WORTH_SAYING_SECONDS and said.reason not in known:
            known = {said.reason}
            yield said.at, ("", "", "", f"[dim]{said.reason}[/]", f"[dim]{escape(said.message)}[/]")


def bar(weights: Mapping[str, int], canary: str, backups: Sequence[str] = ()) -> str:
    """Return the shares of all weight as a bar, the canary's full and the backups' hatched; any weight at all shows."""
    total = sum(weights.values())
    if not total:
        return ""
    full = _cells(weights.get(canary, 0), total)
    hatched = min(_cells(sum(weights.get(name, 0) for name in backups), total), BAR_CELLS - full)
    return "█" * full + "▒" * hatched + "░" * (BAR_CELLS - full - hatched)


def _cells(weight: int, total: int) -> int:
    cells = round(BAR_CELLS * weight / total)
    return min(max(cells, weight > 0), BAR_CELLS - (weight < total))


def shares(weights: Mapping[str, int]) -> str:
    """Return the weights in the order of the roles: ``95/5``."""
    return "/".join(str(weight) for weight in weights.values())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def _requests(outcome: Outcome) -> Table:
    bounds: Iterable[str] = next(iter(outcome.requests.values()), {"slow": {}})["slow"]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("backend")
    for title in ("requests", "failed", "", *(f"over {bound}" for bound in bounds)):
        table.add_column(title, justify="right")
    for name, counts in outcome.requests.items():
        table.add_row(name, *_counted(counts))
    return table


def _counted(counts: Mapping[str, Any]) -> list[str]:
    share = f"{100 * counts['bad'] / counts['total']:.2f} %" if counts["total"] else ""
    return [str(counts["total"]), str(counts["bad"]), share, *map(str, counts["slow"].values())]

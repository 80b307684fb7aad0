"""What stands at the end of the demo: a table for people, or JSON for programs.

Called by ``rollout.cli.demo``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rollout.demo.acts import ActResult, Outcome, RampStep, ServiceResult

NEXT = (
    ("rollout rehearse FILE", "see what your own plan would do, half an hour in a second or two"),
    ("rollout lint FILE", "every problem of a manifest at once"),
    ("rollout serve", "the same controller in front of your own Envoy"),
    ("deploy/envoy/", "a complete Envoy configuration to begin with"),
    ("docs/tutorial/demo.md", "what you have just seen, step by step"),
)
"""Where to look next."""

_WORDS = {
    Outcome.PROMOTED: "promoted",
    Outcome.ROLLED_BACK: "rolled back",
    Outcome.FAILED_BACK: "failed back",
    None: "undecided",
}


def outcome_text(outcome: Outcome | None) -> str:
    """Return the outcome in words."""
    return _WORDS[outcome]


def seconds_text(seconds: float | None) -> str:
    """Return seconds with one decimal, or a dash."""
    return f"{seconds:.1f} s" if seconds is not None else "–"


def figures_text(result: ActResult) -> str:
    """Return how quick it was, as the end of a sentence; empty where there is nothing to measure."""
    if result.backup_seconds is not None:
        return f", first answer of a backup {moment_text(result.backup_seconds)} after the kill"
    zero = result.bad_to_zero_seconds
    return f", {seconds_text(zero)} after the first bad answer" if zero is not None else ""


def moment_text(seconds: float | None) -> str:
    """Return seconds with two decimals, or a dash."""
    return f"{seconds:.2f} s" if seconds is not None else "–"


def ramp_text(ramp: Sequence[RampStep]) -> str:
    """Return the way back of the traffic in words, or a dash."""
    return ", ".join(f"{step.percent}% at {step.seconds:.1f} s" for step in ramp) or "–"


def as_json(results: Sequence[ActResult]) -> dict[str, object]:
    """Return the results as JSON has them; ``outcome`` is null when an act was not decided in time.

    An act with a failover has more: ``first_backup_answer_seconds`` (the longest) and ``failback_ramp`` by service.
    """
    return {"acts": [_act(result) for result in results]}


def _act(result: ActResult) -> dict[str, object]:
    found: dict[str, object] = {
        "act": result.act.name.value,
        "outcome": result.outcome.value if result.outcome is not None else None,
        "seconds": round(result.seconds, 3),
        "first_bad_to_zero_seconds": _rounded(result.bad_to_zero_seconds),
        "requests": result.requests,
        "failed": result.failed,
    }
    ramps = {one.service: one.failover.ramp for one in result.services if one.failover is not None}
    if ramps:
        found["first_backup_answer_seconds"] = _rounded(result.backup_seconds)
        found["failback_ramp"] = {
            service: [{"seconds": round(step.seconds, 3), "percent": step.percent} for step in ramp]
            for service, ramp in ramps.items()
        }
    return found


def as_table(results: Sequence[ActResult]) -> RenderableType:
    """Return the results as a table, with a sentence for each service and where to look next."""
    table = Table(title="How it went", title_justify="left", expand=False)
    for title in ("act", "service", "outcome"):
        table.add_column(title)
    for title in ("seconds", "requests", "failed", "first bad answer to weight 0"):
        table.add_column(title, justify="right")
    for result in results:
        for index, service in enumerate(result.services):
            table.add_row(result.act.name if index == 0 else "", *_cells(service, result), end_section=index > 0)
    return Group(table, Text(), *_failovers(results), _why(results), _next())


def _failovers(results: Sequence[ActResult]) -> Iterator[RenderableType]:
    """Give the table of what became of killed primaries' traffic, where there was any."""
    found = [(one, one.failover) for result in results for one in result.services if one.failover is not None]
    if not found:
        return
    table = Table(title="When the primary was killed", title_justify="left", expand=False)
    table.add_column("service")
    table.add_column("first backup answer", justify="right")
    table.add_column("failed", justify="right")
    table.add_column("failback: the primary's share")
    for one, came in found:
        table.add_row(one.service, moment_text(came.backup_seconds), str(one.failed), ramp_text(came.ramp))
    yield table
    yield Text()


def _cells(service: ServiceResult, result: ActResult) -> tuple[str | Text, ...]:
    style = "green" if service.outcome is result.act.expected else "bold red"
    zero = seconds_text(service.bad_to_zero_seconds)
    outcome = Text(outcome_text(service.outcome), style=style)
    return service.service, outcome, seconds_text(service.seconds), str(service.requests), str(service.failed), zero


def _why(results: Sequence[ActResult]) -> RenderableType:
    lines = [
        Text.assemble((f"{result.act.name}, {service.service}: ", "bold"), service.sentence)
        for result in results
        for service in result.services
    ]
    return Group(*lines, Text())


def _next() -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_row(Text("Where to look next", style="bold"), "")
    for what, why in NEXT:
        grid.add_row(Text(what, style="cyan"), why)
    return grid


def _rounded(seconds: float | None) -> float | None:
    return round(seconds, 3) if seconds is not None else None

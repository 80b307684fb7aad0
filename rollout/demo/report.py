"""What stands at the end of the demo: a table for people, or JSON for programs.

Called by ``rollout.cli.demo``.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rollout.demo.acts import ActResult, Outcome, ServiceResult

NEXT = (
    ("rollout rehearse FILE", "see what your own plan would do, half an hour in a second or two"),
    ("rollout lint FILE", "every problem of a manifest at once"),
    ("rollout serve", "the same controller in front of your own Envoy"),
    ("deploy/envoy/", "a complete Envoy configuration to begin with"),
    ("docs/tutorial/demo.md", "what you have just seen, step by step"),
)
"""Where to look next."""

_WORDS = {Outcome.PROMOTED: "promoted", Outcome.ROLLED_BACK: "rolled back", None: "undecided"}


def outcome_text(outcome: Outcome | None) -> str:
    """Return the outcome in words."""
    return _WORDS[outcome]


def seconds_text(seconds: float | None) -> str:
    """Return seconds with one decimal, or a dash."""
    return f"{seconds:.1f} s" if seconds is not None else "–"


def as_json(results: Sequence[ActResult]) -> dict[str, object]:
    """Return the results as JSON has them; ``outcome`` is null when an act was not decided in time."""
    return {
        "acts": [
            {
                "act": result.act.name.value,
                "outcome": result.outcome.value if result.outcome is not None else None,
                "seconds": round(result.seconds, 3),
                "first_bad_to_zero_seconds": _rounded(result.bad_to_zero_seconds),
                "requests": result.requests,
                "failed": result.failed,
            }
            for result in results
        ]
    }


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
    return Group(table, Text(), _why(results), _next())


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

"""What `rollout describe` and `rollout why` say of gates and hooks: who was called when, and what was answered."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.api.models import GateView, Live
from rollout.cli import tables
from rollout.cli.tables import Column
from rollout.cli.texts import age, safe

COLUMNS = (Column("GATE"), Column("OF"), Column("AGREES"), Column("ASKED"), Column("TRIES"), Column("ANSWER"))
_OF = {
    "beforeStart": "the start",
    "onStep": "step {step}, as it begins",
    "step": "step {step}",
    "beforePromotion": "the promotion",
    "onRollback": "the rollback",
}


def describe_gates(live: Live) -> Iterator[str]:
    """Yield the lines; none where nobody was called."""
    if live.gates:
        yield "Gates:"
        yield from (f"  {line}" for line in tables.lines(COLUMNS, [_row(gate, live.at) for gate in live.gates]))


def refusals(live: Live) -> list[str]:
    """Return a sentence for each gate or hook that does not agree."""
    return [
        safe(f"{gate.name}, of {_of(gate)}, asked {age(live.at - gate.at)} ago: {gate.message}.")
        for gate in live.gates
        if not gate.agrees
    ]


def _of(gate: GateView) -> str:
    return _OF.get(gate.hook, gate.hook).format(step=gate.step)


def _row(gate: GateView, now: float) -> list[str]:
    agrees = "yes" if gate.agrees else "no"
    return [safe(gate.name), safe(_of(gate)), agrees, f"{age(now - gate.at)} ago", str(gate.tries), safe(gate.message)]

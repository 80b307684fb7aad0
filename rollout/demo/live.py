"""Draws the demo live on a terminal: weights as bars, evidence towards its limit, and every decision with its reason.

A spectator of ``rollout.demo.show``; ``picture`` turns a scene into what rich draws.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich import box
from rich.console import ConsoleDimensions, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rollout.analysis.judge import CheckReport
from rollout.demo.acts import ActResult
from rollout.demo.report import figures_text, outcome_text
from rollout.demo.scene import Scene, Stage, sentence, standing
from rollout.engine.table import Phase
from rollout.engine.tiers import is_frozen
from rollout.failover.table import Stage as Standing

_BAR = (10, 40)
_BESIDE_BAR = 66
_DECISIONS = (2, 12)
_BESIDE_DECISIONS = 25
_COLOURS = {
    Phase.IDLE: "green",
    Phase.PROGRESSING: "cyan",
    Phase.PROMOTING: "green",
    Phase.PAUSED: "yellow",
    Phase.ABORTING: "bold red",
    Phase.ABORTED: "red",
    Phase.INVALID: "bold red",
}
_FAILOVER_COLOURS = {
    Standing.CONFIRMING: "yellow",
    Standing.FAILED_OVER: "bold red",
    Standing.FAILING_BACK: "cyan",
    Standing.LATCHED: "bold red",
    Standing.DRILL: "yellow",
}


class Screen:
    """A spectator that draws every scene in place."""

    def __init__(self, live: Live) -> None:
        """Draw on ``live``, which the caller opens and closes."""
        self._live = live
        self._results: list[ActResult] = []

    def look(self, scene: Scene) -> None:
        """Draw the scene."""
        self._live.update(picture(scene, self._results, size=self._live.console.size), refresh=True)

    def ended(self, result: ActResult) -> None:
        """Keep the result; the next picture shows it."""
        self._results.append(result)


def picture(scene: Scene, results: Sequence[ActResult], *, size: ConsoleDimensions) -> RenderableType:
    """Return the scene as rich draws it, with bars and about as many decisions as fit into ``size``.

    The newest decision comes first, so that a small terminal cuts off the oldest.
    """
    width = _between(_BAR, size.width - _BESIDE_BAR)
    decisions = _between(_DECISIONS, size.height - _BESIDE_DECISIONS - len(results))
    ended = [_result(result) for result in results]
    return Group(_head(scene), *ended, *(_panel(stage, width) for stage in scene.stages), _log(scene, decisions))


def _between(bounds: tuple[int, int], wish: int) -> int:
    return max(bounds[0], min(bounds[1], wish))


def _head(scene: Scene) -> RenderableType:
    act = f"act {scene.number} of {scene.acts}: {scene.act.title}" if scene.act else "getting ready"
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(justify="right")
    grid.add_row(Text(act, style="bold"), Text(f"{scene.elapsed_seconds:.0f} s"))
    grid.add_row(Text(f"clients at {scene.address}, measured by {scene.source}", style="dim"), "")
    return grid


def _result(result: ActResult) -> Text:
    good = result.as_expected
    counts = f"{result.failed} of {result.requests} requests failed"
    told = f"{result.act.title}: {outcome_text(result.outcome)}{figures_text(result)}; {counts}"
    return Text.assemble(("✔ " if good else "✘ ", "green" if good else "bold red"), told)


def _panel(stage: Stage, width: int) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    roles = (("stable", stage.stable, "green"), ("canary", stage.canary, "yellow"), ("backup", stage.backup, "blue"))
    for role, backend, style in roles:
        if not backend:
            continue
        grid.add_row(_name(stage, role, backend, style), *_weight(stage, backend, style, width))
    for check in stage.state.evidence if stage.state is not None and stage.state.phase is not Phase.IDLE else ():
        grid.add_row(*_evidence(check, width))
    title = f"{stage.service} · {stage.protocol}"
    return Panel(Group(grid, _traffic(stage), _reason(stage)), title=title, title_align="left", box=box.ROUNDED)


def _name(stage: Stage, role: str, backend: str, style: str) -> Text:
    return Text.assemble((role, style), f" {backend.rpartition('-')[2]} {stage.revisions.get(backend, '')}")


def _weight(stage: Stage, backend: str, style: str, width: int) -> tuple[Text, Text]:
    share = stage.weights.get(backend, 0) / (sum(stage.weights.values()) or 1)
    return bar(share, style, width), Text(f"{share:.0%} of requests")


def _evidence(check: CheckReport, width: int) -> tuple[RenderableType, ...]:
    towards = max(0.0, min(1.0, check.log_evidence / check.limit)) if check.limit > 0 else 0.0
    style = "red" if towards >= 1 else "magenta"
    counts = f"canary {check.canary_bad} of {check.canary_total}, stable {check.stable_bad} of {check.stable_total}"
    return Text(f"evidence: {check.name}", style="dim"), bar(towards, style, width), Text(counts, style="dim")


def bar(share: float, style: str, width: int) -> Text:
    """Return a bar of ``width`` characters, ``share`` (0 to 1) of it filled; anything above 0 shows."""
    filled = round(share * width) if share <= 0 else max(1, round(share * width))
    return Text.assemble(("█" * filled, style), ("░" * (width - filled), "dim"))


def _traffic(stage: Stage) -> Text:
    failed = Text(f"{stage.failed} failed", style="red" if stage.failed else "green")
    times = f"p50 {stage.p50_seconds * 1000:.0f} ms, p99 {stage.p99_seconds * 1000:.0f} ms"
    return Text.assemble(f"{stage.rate:.0f} requests/s   ", failed, f"   {times}")


def _reason(stage: Stage) -> Text:
    if stage.state is None:
        return Text("waiting for the controller", style="dim")
    state = stage.state
    if is_frozen(state):
        failover = state.failover
        style = _FAILOVER_COLOURS.get(failover.stage, "bold red")
        return Text.assemble((f"{failover.stage}  ", style), sentence(failover.reason, failover.message))
    step = f", step {state.step} of {len(state.steps_seen)}" if state.phase is Phase.PROGRESSING and state.step else ""
    why = sentence(state.reason, state.message)
    return Text.assemble((f"{state.phase}{step}  ", _COLOURS[state.phase]), why)


def _log(scene: Scene, most: int) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for least in (8, 4, 11):
        grid.add_column(no_wrap=True, min_width=least)
    for service, made in reversed(scene.decisions[-most:]):
        clock = time.strftime("%H:%M:%S", time.localtime(made.at))
        style = "bold red" if standing(made) != made.phase else _COLOURS[made.phase]
        phase = Text(standing(made), style=style)
        grid.add_row(Text(clock, style="dim"), service, phase, Text(sentence(made.reason, made.message)))
    return Panel(grid, title="decisions, newest first", title_align="left", box=box.ROUNDED)

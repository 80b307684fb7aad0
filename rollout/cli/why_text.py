"""The text of `rollout why`: the one sentence, what is missing, what the checks see, who is ready, what is wrong.

Pure: from what the API answers to what rich writes. Called by ``rollout.cli.why``.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rollout.analysis.reasons import Reason as Verdicts
from rollout.api.models import ArmView, CheckView, Live, RequestsView
from rollout.api.shapes import MissingView
from rollout.cli.gate_rows import refusals
from rollout.cli.outputs import COLOURS
from rollout.cli.texts import percent, safe, span
from rollout.cli.watch_picture import bar
from rollout.cli.why_failover import failover_text, signals_text
from rollout.engine.reasons import Reason
from rollout.engine.table import Phase

BAR_WIDTH = 20

VERDICTS = {"Pass": "green", "Continue": "cyan", "Hold": "yellow", "Fail": "bold red"}
"""The colour of each verdict."""


def why_text(live: Live, *, bars: bool = True) -> RenderableType:
    """Return the whole answer; with ``bars``, evidence is drawn, too, as far as it is towards the limit."""
    parts = [_sentence(live), _place(live), *_missing(live), *_gates(live), *_waiting(live), *failover_text(live)]
    return Group(*parts, *_analysis(live, bars=bars), *_backends(live), *signals_text(live), *_problems(live))


def _sentence(live: Live) -> Text:
    """Return where it is and why, in one line."""
    phase = safe(live.phase) or "New"
    why = safe(live.message) or "the controller has not looked at it yet."
    reason = f", {safe(live.reason)}" if live.reason else ""
    return Text.assemble((phase, f"bold {COLOURS.get(live.phase, '')}".strip()), (f"{reason}: ", "bold"), why)


def _place(live: Live) -> Text:
    """Return which Rollout it is, and where its attempt is."""
    parts = [safe(f"{live.namespace}/{live.name}")]
    parts += [f"attempt {live.attempt}"] if live.attempt else []
    parts += [f"revision {safe(live.revision)}"] if live.revision else []
    parts += [f"step {live.step} of {len(live.steps)}"] if live.step and live.steps else []
    return Text(", ".join(parts), style="dim")


# ---------------------------------------------------------------- what is missing


def _missing(live: Live) -> Iterator[RenderableType]:
    """Yield the list of what the next step waits for; what the first line says already is not told again."""
    if live.missing and not _is_told(live):
        told: set[str] = set()
        yield from _titled(f"{_next(live)} waits for{_in_all(live)}:", [_row(live, one, told) for one in live.missing])
    elif live.phase == Phase.PROGRESSING and not live.missing:
        yield from _titled(f"{_next(live)} waits for nothing more.", [])


def _is_told(live: Live) -> bool:
    known = all((one.reason, one.message) == (live.reason, live.message) for one in live.missing)
    return known and live.phase != Phase.PROGRESSING


def _waiting(live: Live) -> Iterator[RenderableType]:
    if live.waiting is not None:
        yield from _titled("Command:", [Text(safe(f"{live.waiting.message} (id {live.waiting.id})"))])


def _gates(live: Live) -> Iterator[RenderableType]:
    if no := refusals(live):
        yield from _titled("Gates that do not agree:", [Text(sentence) for sentence in no])


def _problems(live: Live) -> Iterator[RenderableType]:
    if live.problems:
        yield from _titled("Problems:", [Text(safe(problem), style="red") for problem in live.problems])


def _titled(title: str, rows: list[Text]) -> Iterator[RenderableType]:
    yield Text()
    yield Text(title, style="bold")
    yield from _listed(rows)


def _listed(rows: list[Text]) -> Iterator[RenderableType]:
    """Yield the rows as a list whose long sentences stay behind their marks."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    for row in rows:
        grid.add_row(Text("  -", style="dim"), row)
    if rows:
        yield grid


def _next(live: Live) -> str:
    """Return what comes next, as the beginning of a sentence."""
    if live.phase == Phase.ABORTING:
        return "The end of the rollback"
    if live.phase == Phase.PROMOTING or (live.phase == Phase.PROGRESSING and live.step >= len(live.steps)):
        return "The promotion"
    if live.phase == Phase.PROGRESSING:
        return f"Step {live.step + 1} of {len(live.steps)} at {percent(live.steps[live.step])}"
    return "The Rollout"


def _in_all(live: Live) -> str:
    if live.next_step_in_seconds is not None:
        return f" (about {span(live.next_step_in_seconds)} in all)"
    return " (nobody knows how long)" if live.phase == Phase.PROGRESSING else ""


def _row(live: Live, missing: MissingView, told: set[str]) -> Text:
    """Return the sentence, and how long it takes: told once for each reason, where the sentence itself does not."""
    sentence, again = Text(safe(missing.message)), missing.reason in told
    told.add(missing.reason)
    how_long = "" if again else _how_long(live, missing)
    return sentence.append(f" {how_long}", style="cyan") if how_long else sentence


def _how_long(live: Live, missing: MissingView) -> str:
    if live.requests is not None and (more := _more_requests(live.requests, missing.reason)):
        return _requests(more, missing.seconds, is_measured=live.requests.per_second is not None)
    if missing.seconds is None or missing.reason == Reason.HOLDING:
        return ""
    return f"About {span(missing.seconds)}."


def _more_requests(found: RequestsView, reason: str) -> int:
    """Return how many more canary requests this reason asks for."""
    if reason == Verdicts.TOO_FEW_REQUESTS:
        return max(0, found.needed - found.canary)
    return max(0, found.needed_in_step - found.canary_in_step) if reason == Reason.WAITING_FOR_REQUESTS else 0


def _requests(more: int, seconds: float | None, *, is_measured: bool) -> str:
    what = f"{more} more canary request{'s' if more > 1 else ''}"
    if seconds is None:
        return f"{what}; {'at present none come' if is_measured else 'how often they come is not known yet'}."
    rate = f" at {more / seconds:.3g}/s" if seconds > 0 else ""
    return f"{what}: about {span(seconds)}{rate}."


# ---------------------------------------------------------------- what the judge sees


def _analysis(live: Live, *, bars: bool) -> Iterator[RenderableType]:
    if live.verdict is not None:
        yield Text()
        said = safe(live.verdict_message or "")
        reason = f"{safe(live.verdict_reason)}: " if live.verdict_reason else ""
        verdict = (safe(live.verdict), VERDICTS.get(live.verdict, ""))
        yield Text.assemble(("Verdict ", "bold"), verdict, f", {reason}{said}")
    if live.checks:
        yield Text()
        yield _checks(live, bars=bars)
        yield from _listed([_check_sentence(check) for check in live.checks])


def _checks(live: Live, *, bars: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("Check", overflow="fold")
    for title in ("Canary bad/all", "Stable bad/all"):
        table.add_column(title, no_wrap=True)
    table.add_column("Evidence to limit", no_wrap=True)
    for check in live.checks:
        name = Text(f"{safe(check.name)}{' (dry run)' if check.dry_run else ''}")
        table.add_row(name, _arm(check.canary), _arm(check.stable), _evidence(check, bars=bars))
    return table


def _arm(arm: ArmView) -> Text:
    return Text(f"{arm.bad}/{arm.total} ({arm.bad / arm.total:.2%})") if arm.total else Text("-", style="dim")


def _evidence(check: CheckView, *, bars: bool) -> Text:
    """Return how far the evidence is towards the limit; a threshold has none."""
    if check.limit <= 0:
        return Text("-", style="dim")
    part = f"{check.share:.0%}"
    style = "red" if check.share >= 1 or check.verdict == "Fail" else "magenta"
    return Text.assemble(bar(check.share, style, BAR_WIDTH), " ", part) if bars else Text(part)


def _check_sentence(check: CheckView) -> Text:
    verdict = (safe(check.verdict), VERDICTS.get(check.verdict, ""))
    return Text.assemble(f"{safe(check.name)}: ", verdict, f", {safe(check.sentence)}")


# ---------------------------------------------------------------- backends


def _backends(live: Live) -> Iterator[RenderableType]:
    names = dict.fromkeys([*live.weights.intended, *live.weights.observed, *live.health])
    if not names:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for title in ("Backend", "Role", "Weight", "Endpoints"):
        table.add_column(title, overflow="fold")
    roles = {live.stable: "stable", live.canary: "canary"}
    for name in names:
        table.add_row(Text(safe(name)), roles.get(name, "backup"), _weight(live, name), _health(live, name))
    yield Text()
    yield table
    if live.weights.effective in {"False", "Blocks"}:
        yield Text("Requests do not go to the backends as the weights say.", style="yellow")


def _weight(live: Live, name: str) -> Text:
    """Return the intended weight, and the one that the route has where it is another."""
    intended, observed = live.weights.intended.get(name), live.weights.observed.get(name)
    if intended is None or observed is None or intended == observed:
        known = intended if intended is not None else observed
        return Text(str(known) if known is not None else "-")
    return Text.assemble(str(intended), (f" (the route has {observed})", "yellow"))


def _health(live: Live, name: str) -> Text:
    found = live.health.get(name)
    if found is None or not found.known:
        return Text("not seen yet", style="dim")
    return Text(f"{found.ready} of {found.total} ready", style="" if found.ready else "bold red")

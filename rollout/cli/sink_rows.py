"""Sinks as rows of a table: all for `rollout notify list`, those of one Rollout for `rollout describe`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollout.api.sink_models import NotifiedView, SinkView
from rollout.cli import tables
from rollout.cli.tables import Column
from rollout.cli.texts import age, safe, span

NONE = "-"
COLUMNS = (
    Column("SINK", gives=1, least=12),
    Column("KIND"),
    Column("STATE"),
    Column("DELIVERED"),
    Column("FAILED"),
    Column("PENDING"),
    Column("LAG"),
    Column("LAST-ERROR", gives=5, least=24),
)
WIDE = (*COLUMNS[:-1], Column("FOLDED"), Column("PASSED-OVER"), Column("LAST"), Column("ERROR-AGE"), COLUMNS[-1])
NOTIFIED = (Column("SINK"), Column("TOLD"), Column("AGE"), Column("BEHIND"), Column("LAG"), Column("LAST-ERROR"))
INDENT = "  "


def row_of(sink: SinkView, *, now: float, wide: bool = False) -> list[str]:
    """Return one sink as a row of ``COLUMNS``, or of ``WIDE``; ``LAST`` is how long ago it took a message."""
    cells = [sink.name, sink.kind, _state(sink, now), str(sink.delivered), str(sink.failed), str(sink.pending)]
    cells.append(_lag(sink.lag_seconds))
    if wide:
        cells += [str(sink.folded), str(sink.passed_over), _ago(sink.delivered_at, now)]
        cells.append(_ago(sink.problem_at if sink.problem else None, now))
    return [safe(cell) or NONE for cell in (*cells, sink.problem)]


def describe_sinks(notified: Sequence[NotifiedView], *, now: float) -> Iterator[str]:
    """Yield the lines that say how far each sink was told of a Rollout; none where there are no sinks."""
    if notified:
        yield "Notified:"
        rows = [_notified(one, now) for one in notified]
        yield from (f"{INDENT}{line}" for line in tables.lines(NOTIFIED, rows))


def _notified(one: NotifiedView, now: float) -> list[str]:
    told = f"#{one.number}" if one.number else NONE
    cells = (one.sink, told, _ago(one.at, now), str(one.behind), _lag(one.lag_seconds), one.problem)
    return [safe(cell) or NONE for cell in cells]


def _state(sink: SinkView, now: float) -> str:
    if sink.closed_until is not None and sink.closed_until > now:
        return f"closed {span(sink.closed_until - now)}"
    return "quiet" if sink.quiet else "ok"


def _ago(at: float | None, now: float) -> str:
    return age(now - at) if at is not None else NONE


def _lag(seconds: float) -> str:
    return span(seconds) if seconds > 0 else NONE

"""Rollouts and policies as rows of a table. Pure; called by ``rollout get``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rollout.api.models import Live, PolicyItem, Summary
from rollout.cli.tables import Column
from rollout.cli.texts import age, percent, safe

NONE = "-"
"""Stands where there is nothing to say."""

COLUMNS = (
    Column("NAMESPACE"),
    Column("NAME", gives=1, least=24),
    Column("PHASE"),
    Column("STEP"),
    Column("WEIGHT"),
    Column("STABLE", gives=3),
    Column("REVISION", gives=4),
    Column("FAILOVER"),
    Column("AGE"),
)
PHASE_AT, FAILOVER_AT, AGE_AT = 2, 7, 8
WIDE = (
    *COLUMNS,
    Column("CANARY", gives=3),
    Column("ATTEMPT"),
    Column("ACTIVE", gives=3),
    Column("FAILOVER-REASON", gives=2),
    Column("REASON", gives=2),
    Column("MESSAGE", gives=5, least=24),
)
POLICIES = (Column("KIND"), Column("NAMESPACE"), Column("NAME"), Column("SOURCE"))


def row_of(summary: Summary, *, now: float, wide: bool = False) -> list[str]:
    """Return one Rollout as a row of ``COLUMNS``, or of ``WIDE``."""
    born = age(now - summary.created_at) if summary.created_at else NONE
    phase = f"{summary.phase or NONE}{' (deleting)' if summary.deleting else ''}"
    cells = [summary.namespace, summary.name, phase, _step(summary), percent(summary.weight)]
    cells += [summary.stable, summary.revision, summary.failover, born]
    if wide:
        cells += [summary.canary, str(summary.attempt), summary.active, summary.failover_reason]
        cells += [summary.reason, summary.message]
    return [safe(cell) or NONE for cell in cells]


def policy_row(item: PolicyItem) -> list[str]:
    """Return one policy as a row of ``POLICIES``; without a file that speaks for it, it came by the API."""
    return [safe(cell) or NONE for cell in (item.kind, item.namespace, item.name, item.source)]


def summary_of(document: Mapping[str, object], live: Live) -> Summary:
    """Return the summary of one Rollout, from its resource and where it stands."""
    metadata = _mapping(document, "metadata")
    labels = {str(name): str(value) for name, value in _mapping(metadata, "labels").items()}
    created = metadata.get("creationTimestamp")
    generation = metadata.get("generation")
    return Summary(
        namespace=live.namespace,
        name=live.name,
        labels=labels,
        phase=live.phase,
        reason=live.reason,
        message=live.message,
        attempt=live.attempt,
        step=live.step,
        steps=len(live.steps),
        weight=_share(live.weights.intended, live.canary),
        stable=live.stable,
        canary=live.canary,
        revision=live.revision,
        failover=live.failover.phase if live.failover is not None else "Normal",
        failover_reason=live.failover.reason if live.failover is not None else "",
        active=live.failover.active if live.failover is not None else "",
        created_at=unix_of(created),
        generation=generation if isinstance(generation, int) else 0,
        resource_version=str(metadata.get("resourceVersion", "")),
        deleting="deletionTimestamp" in metadata,
    )


def unix_of(timestamp: object) -> float:
    """Return the Unix seconds of a timestamp as Kubernetes writes it, or of a number; 0 for anything else."""
    from datetime import datetime

    if isinstance(timestamp, int | float):
        return float(timestamp)
    try:
        return datetime.fromisoformat(str(timestamp)).timestamp() if timestamp else 0.0
    except ValueError:
        return 0.0


def colours_of(rows: Sequence[Sequence[str]], codes: Mapping[str, str]) -> dict[tuple[int, int], str]:
    """Return where a phase is coloured, of attempt or failover, by ``codes`` of phases."""
    words = [
        (at, column, row[column].split(" ")[0]) for at, row in enumerate(rows) for column in (PHASE_AT, FAILOVER_AT)
    ]
    return {(at, column): codes[word] for at, column, word in words if word in codes}


def names_of(items: Iterable[Summary | PolicyItem]) -> list[str]:
    """Return ``NAMESPACE/NAME`` of each, as other commands take it."""
    return [f"{item.namespace}/{item.name}" if item.namespace else item.name for item in items]


def _share(weights: Mapping[str, int], backend: str) -> float:
    whole = sum(weights.values())
    return 100.0 * weights.get(backend, 0) / whole if whole else 0.0


def _step(summary: Summary) -> str:
    return f"{summary.step}/{summary.steps}" if summary.steps else NONE


def _mapping(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}

"""Measurements run beside the passes: a slow source never delays a decision.

Each leaves its answer in the entry and lets a pass be due; an answer that is an error is a named
reason for the next decision, never an exception in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

from rollout.analysis.reasons import Reason as Verdicts
from rollout.analysis.samples import Batch
from rollout.analysis.state import samples_wanted_since
from rollout.controller.entry import Entry
from rollout.engine.observation import BackendKey
from rollout.engine.state import State
from rollout.engine.weights import backend_key
from rollout.errors import PermanentError, SourceTimeout, TemporaryError
from rollout.ports import Ask, Key, Measurements
from rollout.spec.analysis import ErrorsCheck, QueryCheck, SlowerThanCheck
from rollout.spec.placeholders import fill
from rollout.spec.resource import Rollout

UNEXPECTED = "an unexpected error; see the log"

SPREAD_SECONDS = 0.001
"""How much time each Rollout gets for its look, on average, before others look."""

MOST_SPREAD_PART = 0.9
"""The looks are spread over at most this part of the cadence."""

SOONEST_PART = 0.3
"""The next look comes no sooner than this part of the cadence after one."""

DELAY_PART = 0.02
"""How long after a sample should have come it is asked for, as a part of the cadence."""


def ask_for(rollout: Rollout, state: State, checkpoint: Mapping[str, object]) -> Ask:
    """Return the question that the checks of this Rollout put."""
    spec, namespace = rollout.spec, rollout.metadata.namespace
    refs = [backend_key(ref, namespace) for ref in spec.backends.pair]
    owned = [backend for rule in state.owned for backend in rule.backends]
    named = {backend.name: backend for backend in (*owned, *refs)}  # the roles may be those of the spec before
    checks = spec.analysis.checks
    bounds = dict.fromkeys(b for check in checks if isinstance(check, SlowerThanCheck) for b in check.bounds)
    return Ask(
        namespace=namespace,
        route=spec.routes[0].name,
        canary=named[state.canary],
        stable=named[state.stable],
        templates=spec.metrics,
        errors=any(isinstance(check, ErrorsCheck) for check in checks),
        bounds=tuple(bounds),
        queries=tuple(
            (c.name, _filled(c.query, rollout, named[state.canary])) for c in checks if isinstance(c, QueryCheck)
        ),
        since=samples_wanted_since(state.judge) if state.judge is not None else 0.0,
        checkpoint=checkpoint,
    )


def _filled(query: str, rollout: Rollout, canary: BackendKey) -> str:
    values = {
        "namespace": rollout.metadata.namespace,
        "route.name": rollout.spec.routes[0].name,
        "backend.name": canary.name,
        "backend.port": str(canary.port or ""),
    }
    return fill(query, values)


async def measure(source: Measurements, entry: Entry, ask: Ask) -> None:
    """Put the answer to ``ask`` into ``entry``, or why there is none."""
    try:
        entry.batch = await source.measure(ask)
    except SourceTimeout as error:
        entry.source_problem = (Verdicts.SOURCE_SLOW, str(error))
    except (TemporaryError, PermanentError) as error:
        entry.source_problem = (Verdicts.SOURCE_DOWN, str(error))
    else:
        entry.source_problem = None
        entry.ask = ask


def next_look_after(batch: Batch | None, now: float, cadence_seconds: float, later_seconds: float = 0.0) -> float:
    """Return in how many seconds to look again: just after the next sample should be there, else after one cadence.

    ``later_seconds`` is how much later than others this Rollout looks, at most one cadence.
    """
    families = (batch.counters if batch else {}).values()
    samples = (series.samples[-1][0] for family in families for series in family.total if series.samples)
    delay = max(0.02, DELAY_PART * cadence_seconds) + later_seconds
    aligned = max(samples, default=now) + cadence_seconds + delay - now
    if aligned < SOONEST_PART * cadence_seconds:
        aligned += cadence_seconds
    in_step = SOONEST_PART * cadence_seconds <= aligned < (1 + SOONEST_PART) * cadence_seconds
    return aligned if in_step else cadence_seconds


def spread_of(key: Key, cadence_seconds: float, *, rollouts: int) -> float:
    """Return how much later than others this one of ``rollouts`` looks, so that many do not look at one moment."""
    longest = min(MOST_SPREAD_PART * cadence_seconds, SPREAD_SECONDS * (rollouts - 1))
    return longest * (crc32(str(key).encode()) % 1000) / 1000

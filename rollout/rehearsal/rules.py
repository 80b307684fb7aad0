"""What a rehearsal file must keep beyond the shape of its fields: order, known names, one thing per event.

Each rule yields problems with the path of the field; ``rollout.rehearsal.reading`` adds file and line.
"""

from __future__ import annotations

from collections.abc import Iterator

from rollout.errors import Problem
from rollout.rehearsal.backend import Backend, BackendChange
from rollout.rehearsal.layout import Layout
from rollout.rehearsal.scenario import KINDS, Event, Scenario
from rollout.spec.fields import either
from rollout.spec.quantities import format_duration

_CHANGES = tuple(BackendChange.model_fields)


def problems_of(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is wrong with the file by itself."""
    yield from _latency_problems(scenario)
    latest = 0.0
    for index, event in enumerate(scenario.events):
        place = f"events[{index}]"
        if event.at < latest:
            given, allowed = (
                format_duration(event.at),
                f"at least {format_duration(latest)}: events stand in order of time",
            )
            yield Problem(f"{place}.at", "is before the event above it", given=given, allowed=allowed)
        latest = max(latest, event.at)
        yield from _event_problems(place, event)


def _event_problems(place: str, event: Event) -> Iterator[Problem]:
    kinds = [kind for kind in KINDS if getattr(event, kind) is not None]
    if event.command is not None:
        return
    for name in event.arguments:
        allowed = f"at, one of {', '.join(KINDS)}, and the fields of a backend"
        yield Problem(
            f"{place}.{name}", "is not a known field of an event without command", given=name, allowed=allowed
        )
    if len(kinds) != 1:
        given = " and ".join(kinds) or "nothing"
        yield Problem(place, "must say one thing that happens", given=given, allowed=f"one of {either(KINDS)}")
    changes = [name for name in _CHANGES if getattr(event, name) is not None]
    if event.backend is None and changes:
        field = f"{place}.{Event.model_fields[changes[0]].alias}"
        yield Problem(
            field, "is a field of a backend", given="no backend", allowed="the backend that changes, as backend"
        )
    if event.backend is not None and not changes:
        allowed = "ready, errors, latency, probe or podErrors"
        yield Problem(place, "changes nothing of the backend", given=f"only backend {event.backend}", allowed=allowed)
    if event.delete is False:
        yield Problem(f"{place}.delete", "says that nothing happens", given="false", allowed="true")


def _latency_problems(scenario: Scenario) -> Iterator[Problem]:
    backends = dict(scenario.backends)
    for name, backend in backends.items():
        yield from _latency_order(f"backends.{name}.latency", backend)
    for index, event in enumerate(scenario.events):
        if event.backend is not None and event.latency is not None:
            backends[event.backend] = event.applied_to(backends.get(event.backend, Backend()))
            yield from _latency_order(f"events[{index}].latency", backends[event.backend])


def _latency_order(place: str, backend: Backend) -> Iterator[Problem]:
    latency = backend.latency
    if latency.p99 < latency.p50:
        given, allowed = format_duration(latency.p99), f"at least the p50 ({format_duration(latency.p50)})"
        yield Problem(f"{place}.p99", "is below the p50", given=given, allowed=allowed)


def problems_with(scenario: Scenario, layout: Layout) -> Iterator[Problem]:
    """Yield what does not fit the Rollout: names that it does not have."""
    for name in scenario.backends:
        yield from _unknown_backend(f"backends.{name}", name, layout)
    for index, event in enumerate(scenario.events):
        place = f"events[{index}]"
        if event.backend is not None and event.command is None:
            yield from _unknown_backend(f"{place}.backend", event.backend, layout)
        if event.route is not None and event.command is None:
            yield from _route_problems(f"{place}.route", event, layout)


def _unknown_backend(place: str, name: str, layout: Layout) -> Iterator[Problem]:
    if name not in layout.names:
        message = "is not a backend of the Rollout, and has no foreignWeight"
        yield Problem(place, message, given=name, allowed=either(layout.names))


def _route_problems(place: str, event: Event, layout: Layout) -> Iterator[Problem]:
    edit = event.route
    if edit is None:
        return
    found = layout.find(edit.name, kind=edit.kind, namespace=edit.namespace)
    names = either([f"{plan.key.kind} {plan.key.name}" for plan in layout.routes])
    if len(found) != 1:
        message = "is not a route of the Rollout" if not found else "is the name of several routes: give its kind too"
        yield Problem(f"{place}.name", message, given=edit.name, allowed=names)
    if edit.weights is None and edit.accepted is None and edit.exists is None:
        yield Problem(place, "changes nothing", given="only a name", allowed="weights, accepted or exists")
    for name in edit.weights or ():
        yield from _unknown_backend(f"{place}.weights.{name}", name, layout)

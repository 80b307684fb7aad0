"""What must hold whatever happens: random timelines through the shipped controller, Hypothesis choosing them."""

import tempfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from rollout.rehearsal.outcome import Outcome
from rollout.rehearsal.rehearse import rehearse
from rollout.spec.quantities import format_duration
from tests.rehearsal.builders import CANARY, STABLE, START, manifest, read, scenario

pytestmark = pytest.mark.long

END_SECONDS = 240
STEPS = (
    {"weight": 5, "hold": "20s"},
    {"weight": 50, "hold": "20s", "gates": [{"url": "https://ci.example/ok", "name": "load"}]},
    {"weight": 95, "hold": "20s"},
)
HOLD_SECONDS = 20.0
QUICK = ("promote", "skip")
"""Commands that end a hold time."""

Event = dict[str, Any]

COMMANDS: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from(["pause", "resume", "promote", "skip", "abort", "retry", "undo", "start", "dance"]).map(
        lambda action: {"command": action}
    ),
    st.sampled_from(["v2", "v3", "v1"]).map(lambda revision: {"command": "start", "revision": revision}),
    st.just({"command": "promote", "full": True}),
    st.integers(1, 3).map(lambda step: {"command": "approve", "step": step}),
    st.sampled_from([STABLE, CANARY]).map(lambda name: {"command": "adopt", "stable": name}),
)
CHANGES: list[Event] = [
    {"ready": "0/2"},
    {"ready": "2/2"},
    {"errors": "30%"},
    {"errors": "0.1%"},
    {"latency": {"p50": "200ms", "p99": "2s"}},
    {"latency": {"p50": "40ms", "p99": "200ms"}},
    {"podErrors": "bursts"},
]
BACKENDS: st.SearchStrategy[Event] = st.tuples(st.sampled_from([STABLE, CANARY]), st.sampled_from(CHANGES)).map(
    lambda drawn: {"backend": drawn[0], **drawn[1]}
)
SOURCES: st.SearchStrategy[Event] = st.sampled_from(["up", "down", "slow", "empty", "nan"]).map(
    lambda mode: {"prometheus": mode}
)
APIS: st.SearchStrategy[Event] = st.sampled_from(["up", "down", "conflict"]).map(lambda mode: {"api": mode})
FATES: st.SearchStrategy[Event] = st.sampled_from(["restart", "kill"]).map(lambda fate: {"controller": fate})
EDITS: list[Event] = [
    {"weights": {STABLE: 50, CANARY: 50}},
    {"weights": {STABLE: 0, CANARY: 0}},
    {"weights": {STABLE: 0, CANARY: 100}},
    {"accepted": False},
    {"accepted": True},
    {"accepted": "pending"},
    {"exists": False},
    {"exists": True},
]
HANDS: st.SearchStrategy[Event] = st.sampled_from(EDITS).map(lambda edit: {"route": {"name": "checkout", **edit}})
OTHERS: st.SearchStrategy[Event] = st.sampled_from(
    [
        {"gates": {"load": "refuse"}},
        {"gates": {"load": "agree"}},
        {"spec": {"revision": "v2"}},
        {"spec": {"revision": "v3"}},
        {"spec": {"suspend": True}},
        {"spec": {"suspend": False}},
        {"spec": {"precision": 1}},
        {"spec": {"precision": 100}},
        {"traffic": {"rps": 1}},
        {"traffic": {"rps": 200}},
        {"delete": True},
        {"status": "lost"},
    ]
)
EVENTS = st.one_of(COMMANDS, COMMANDS, BACKENDS, SOURCES, APIS, FATES, FATES, HANDS, OTHERS)


@st.composite
def timelines(draw: st.DrawFn) -> list[Event]:
    """Return up to twenty events in order of time, after the start of an attempt."""
    times = sorted(draw(st.lists(st.integers(1, 4 * END_SECONDS), max_size=20)))
    return [START, *({"at": format_duration(time / 4), **draw(EVENTS)} for time in times)]


def run(events: list[Event], seed: int) -> tuple[Outcome, list[Mapping[str, Any]]]:
    """Return what came of the rehearsal, and what it logged."""
    rollout = manifest(steps=STEPS, revision="v1")
    content = scenario(*events, rollout=rollout, seed=seed, until=f"{END_SECONDS}s", scrape="5s")
    with tempfile.TemporaryDirectory() as folder, capture_logs() as logs:
        return rehearse(read(Path(folder), content)), list(logs)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=timelines(), seed=st.integers(0, 1000))
def test_every_invariant_holds_in_any_timeline(events: list[Event], seed: int) -> None:
    """Weights sum and are never all zero, an abort wins, steps come once and in turn, hold times are kept."""
    outcome, logs = run(events, seed)

    assert not [entry for entry in logs if entry.get("exc_info")]
    assert_weights(outcome)
    if not any("status" in event for event in events):
        assert_numbers(outcome)
        assert_writes_follow_records(outcome)
    assert_abort_wins(outcome)
    assert_steps_in_turn(outcome)
    assert_hold_times(outcome, events)


def assert_weights(outcome: Outcome) -> None:
    """Every write sums to the total that the route had, and names every owned backend."""
    for write in outcome.writes:
        assert sum(write["weights"].values()) == 100
        assert set(write["weights"]) == {STABLE, CANARY}


def assert_numbers(outcome: Outcome) -> None:
    """Transitions are numbered without gap or double, and time does not run back."""
    assert [made["number"] for made in outcome.transitions] == list(range(1, len(outcome.transitions) + 1))
    assert not outcome.doubled
    assert all(one["at"] <= other["at"] for one, other in pairwise(outcome.transitions))


def assert_writes_follow_records(outcome: Outcome) -> None:
    """What is written was recorded before: the weights of the latest transition."""
    for write in outcome.writes:
        recorded = [made for made in outcome.transitions if made["at"] < write["at"] and made["weights"]]
        intended = recorded[-1]["weights"] if recorded else {STABLE: 100, CANARY: 0}
        assert write["weights"] == intended


def assert_abort_wins(outcome: Outcome) -> None:
    """After an abort the next weights written are all on stable, until somebody starts anew."""
    for index, made in enumerate(outcome.transitions):
        if made["phase"] != "Aborting":
            continue
        later = [
            other["at"]
            for other in outcome.transitions[index + 1 :]
            if other["phase"] not in {"Aborting", "Aborted", "Invalid"}
        ]
        ends = min(later, default=float("inf"))
        written = [write["weights"] for write in outcome.writes if made["at"] < write["at"] <= ends]
        assert 100 in made["weights"].values()
        assert all(weights == made["weights"] for weights in written)


def assert_steps_in_turn(outcome: Outcome) -> None:
    """Within an attempt a step is followed by the next one only: none is skipped, none repeated."""
    step = 0
    for made in outcome.transitions:
        if made["reason"] in {"Started", "Retried", "NewRevision"}:
            assert made["step"] in {0, 1}
        elif made["reason"] in {"StepStarted", "PromotedByCommand"} and made["phase"] == "Progressing":
            assert made["step"] == step + 1
        step = made["step"]


def assert_hold_times(outcome: Outcome, events: list[Event]) -> None:
    """A step that nobody hurried lasted for its hold time at least."""
    hurried = any(event.get("command") in QUICK for event in events)
    began = None
    for made in outcome.transitions:
        if made["reason"] in {"StepStarted", "Promoting"} and began is not None and not hurried:
            assert made["at"] - began >= HOLD_SECONDS - 1
        if made["phase"] == "Progressing" and made["step"] and made["reason"] not in {"Resumed", "Valid"}:
            began = made["at"]
        elif made["phase"] not in {"Paused", "Invalid"} and not (made["phase"] == "Progressing" and made["step"]):
            began = None

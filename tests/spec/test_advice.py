"""Warnings of plans that will not do what is hoped for."""

import pytest

from rollout.spec.advice import warnings_of
from tests.spec.builders import STEPS, rollout

QUERY = {"name": "queue", "kind": "Query", "query": "max(depth)", "failAbove": 5}


def fields_of(rps: float | None = None, **spec: object) -> list[str]:
    """Return the fields that are warned of."""
    return [problem.field for problem in warnings_of(rollout(**spec), requests_per_second=rps)]


def test_a_sound_plan_gives_no_warning() -> None:
    """Steps with hold times up to 95 % and enough traffic need no word."""
    assert fields_of(rps=100) == []


def test_every_warning_is_a_warning() -> None:
    """Nothing that is warned of refuses a Rollout."""
    assert all(problem.warning for problem in warnings_of(rollout(steps=[{"weight": 100}]), requests_per_second=1))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"steps": [{"weight": 5}, {"weight": 50, "hold": "5m"}]}, "spec.steps[0]"),
        ({"steps": [*STEPS, {"weight": 100, "hold": "5m"}]}, "spec.steps[2].weight"),
        ({"steps": None, "ramp": {"from": 50, "to": 100, "by": 50, "every": "1m"}}, "spec.ramp"),
        ({"steps": [{"weight": 0.1, "hold": "5m"}]}, "spec.steps[0].weight"),
        ({"steps": [{"weight": 1.5, "hold": "5m"}]}, "spec.steps[0].weight"),
        ({"analysis": {"checks": []}}, "spec.analysis.checks"),
        ({"analysis": {"checks": [{**QUERY, "dryRun": True}]}}, "spec.analysis.checks"),
        (
            {"analysis": {"checks": [{"name": "e", "kind": "Errors", "failAbove": 5}]}},
            "spec.analysis.checks[0].failAbove",
        ),
        (
            {"analysis": {"checks": [{"name": "e", "kind": "Errors", "failBelow": 5}]}},
            "spec.analysis.checks[0].failBelow",
        ),
        ({"analysis": {"warmUp": "12m"}}, "spec.analysis.warmUp"),
        ({"start": "OnWorkload"}, "spec.start"),
        ({"promotion": {"mode": "CopyTemplate"}}, "spec.promotion.mode"),
    ],
)
def test_what_will_not_work_is_warned_of(spec: dict[str, object], field: str) -> None:
    """Each doubtful plan gives exactly its warning."""
    assert [problem.field for problem in warnings_of(rollout(**spec))] == [field]


def test_what_needs_workloads_is_fine_with_them() -> None:
    """With both workloads on Kubernetes, OnWorkload and CopyTemplate need no word."""
    workloads = {role: {"kind": "Deployment", "name": role} for role in ("stable", "canary")}

    assert fields_of(start="OnWorkload", promotion={"mode": "CopyTemplate"}, workloads=workloads) == []


def test_one_workload_is_not_enough_to_watch() -> None:
    """After a swap it is the other one whose pod template starts an attempt."""
    workloads = {"canary": {"kind": "Deployment", "name": "canary"}}

    assert fields_of(start="OnWorkload", workloads=workloads) == ["spec.start"]


def test_plain_envoy_has_no_workloads() -> None:
    """On plain Envoy there is no workload to watch, whatever is written."""
    workloads = {"canary": {"kind": "Deployment", "name": "canary"}}
    routes = [{"kind": "EnvoyRoute", "name": "checkout"}]

    assert fields_of(start="OnWorkload", workloads=workloads, routes=routes) == ["spec.start"]


def test_a_query_keeps_its_limit() -> None:
    """A limit of a query is what judges it, so it is no warning; nor is a hold time shorter than nothing."""
    assert fields_of(analysis={"checks": [QUERY]}) == []


def test_steps_without_hold_time_say_nothing_of_the_warm_up() -> None:
    """A plan by approvals alone has no hold time that the warm-up could be compared with."""
    assert fields_of(steps=[{"weight": 50, "approval": True}]) == []


def test_a_step_without_weight_is_no_question_of_precision() -> None:
    """Weight 0 is 0 at any precision."""
    assert fields_of(steps=[{"weight": 0, "hold": "1m"}, *STEPS]) == []


def test_too_little_traffic_is_warned_of() -> None:
    """With the traffic given, a step that gets too few requests is named with what would do."""
    (problem,) = warnings_of(rollout(), requests_per_second=1)

    assert problem.field == "spec.steps[0]"
    assert "a weight of 17 would do" in problem.message
    assert problem.given == "weight 5 for 2m at 1 requests/s"


def test_without_checks_no_requests_are_asked_for() -> None:
    """Where nothing is judged, too few requests stop nothing."""
    assert fields_of(rps=0.001, analysis={"checks": []}) == ["spec.analysis.checks"]

"""Live numbers: what is told of a look, and the route that answers them."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.analysis.judge import CheckReport, Verdict, begin_attempt
from rollout.api.live import live_of
from rollout.api.models import Live
from rollout.controller.look import Look
from rollout.engine.moves import Context
from rollout.engine.observation import Command
from rollout.engine.outlook import outlook
from rollout.engine.reasons import Reason
from rollout.engine.state import Hold, State, Word
from rollout.engine.table import Phase
from rollout.ports import StoredRollout
from rollout.spec.resource import Rollout
from tests.api.world import NOBODY, V1, V2, VIEWER, WEB, world
from tests.engine import builders
from tests.engine.builders import NOW, UP, aborted, at_rest, rollout, seen, under_way, weighing

ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}], "minRequests": 100}
STEPS = [{"weight": 5, "hold": "2m", "minRequests": 50}, {"weight": 50, "hold": "5m"}]
JUDGED = rollout(analysis=ERRORS, steps=STEPS)
REPORT = CheckReport(
    name="errors",
    kind="Errors",
    verdict=Verdict.CONTINUE,
    reason="WithinTolerance",
    sentence="canary failed 1 of 60 requests",
    log_evidence=1.5,
    limit=3.0,
    canary_bad=1,
    canary_total=60,
    stable_bad=2,
    stable_total=900,
    dry_run=False,
)


def _look(state: State, wanted: Rollout | None = JUDGED, **fields: Any) -> Look:  # noqa: ANN401 - fields of a look
    """Return a look at this state half a minute after the start."""
    observation = seen(weighing(95, 5), now=NOW + 30)
    usual: dict[str, Any] = {
        "at": NOW + 30,
        "key": WEB,
        "stored": StoredRollout(WEB, {}, {}, "7", 1),
        "state": state,
        "rollout": wanted,
        "problems": (),
        "endpoints": {builders.V1: UP},
        "steps": Context.of(wanted, observation).steps,
        "outlook": outlook(wanted, state, observation),
        "is_new": False,
    }
    return Look(**{**usual, **fields})


def _judged(**fields: Any) -> State:  # noqa: ANN401 - fields of a state
    """Return the state of an attempt in step 1 with 60 canary requests at 40 a second, one report, and the word."""
    judge = replace(
        begin_attempt(NOW), canary_requests=60, step_canary_requests=20, requests_per_second=40.0, last_tick_at=NOW + 30
    )
    word = Word(Verdict.CONTINUE, "TooFewRequests", "canary has had 60 of 100")
    base = replace(under_way().state, judge=judge, word=word, evidence=(REPORT,), effective="Agrees")
    return replace(base, **fields)


# ---------------------------------------------------------------- what is told


def test_an_attempt_is_told_with_all_its_numbers() -> None:
    """Where it is, its plan, its weights, hold time, requests, verdict, endpoints, and what is missing."""
    live = live_of(_look(_judged()))

    assert (live.namespace, live.name, live.at) == ("shop", "web", NOW + 30)
    assert (live.phase, live.attempt, live.step, live.steps, live.revision) == ("Progressing", 1, 1, [5, 50], "2")
    assert live.weights.intended == live.weights.observed == {builders.V1: 95, builders.V2: 5}
    assert live.hold is not None
    assert live.hold.model_dump() == {"seconds": 30, "of_seconds": 120, "left_seconds": 90, "running": True}
    assert live.requests is not None
    assert (live.requests.canary, live.requests.needed, live.requests.per_second) == (60, 100, 40)
    assert (live.requests.canary_in_step, live.requests.needed_in_step) == (20, 50)
    assert (live.verdict, live.verdict_reason) == ("Continue", "TooFewRequests")
    assert live.health[builders.V1].model_dump() == {"ready": 2, "total": 2, "known": True}


def test_what_is_missing_is_told_with_its_seconds() -> None:
    """In the order of the guards; the longest is how long it takes until the next step."""
    live = live_of(_look(_judged()))

    assert [(one.reason, one.seconds) for one in live.missing] == [
        (Reason.HOLDING, 90),
        ("TooFewRequests", 20),
        (Reason.WAITING_FOR_REQUESTS, 15),
    ]
    assert live.next_step_in_seconds == 90


@pytest.mark.parametrize(
    ("evidence", "limit", "share"),
    [(1.5, 3.0, 0.5), (-4.0, 3.0, 0.0), (9.0, 3.0, 1.0), (0.0, 0.0, 0.0), (float("inf"), 3.0, 1.0)],
)
def test_evidence_is_told_as_a_part_of_its_limit(evidence: float, limit: float, share: float) -> None:
    """From 0 to 1, whatever the evidence; a threshold has none."""
    report = replace(REPORT, log_evidence=evidence, limit=limit)
    (check,) = live_of(_look(_judged(evidence=(report,)))).checks

    assert check.share == share
    assert (check.canary.model_dump(), check.stable.model_dump()) == ({"bad": 1, "total": 60}, {"bad": 2, "total": 900})


@pytest.mark.parametrize(
    ("engine", "told"),
    [("Agrees", "True"), ("Differs", "False"), ("Blocks", "Blocks"), ("Unknown", "Unknown"), ("", "Unknown")],
)
def test_whether_weights_are_served_is_told(engine: str, told: str) -> None:
    """As True, False, Blocks or Unknown."""
    assert live_of(_look(_judged(effective=engine))).weights.effective == told


def test_a_skipped_hold_has_nothing_left() -> None:
    """What was counted stays; nothing of it is waited for."""
    live = live_of(_look(_judged(hold_over=True, hold=Hold(12, None))))

    assert live.hold is not None
    assert live.hold.model_dump() == {"seconds": 12, "of_seconds": 120, "left_seconds": 0, "running": False}


def test_a_pause_keeps_its_step() -> None:
    """A paused attempt has its hold time and its requests, and no time until the next step."""
    live = live_of(_look(_judged(phase=Phase.PAUSED, reason="PausedByCommand", message="Paused.")))

    assert live.hold is not None
    assert live.requests is not None
    assert (live.next_step_in_seconds, live.missing[0].reason) == (None, "PausedByCommand")


@pytest.mark.parametrize("state", [at_rest().state, aborted().state, State()])
def test_without_an_attempt_there_is_no_step(state: State) -> None:
    """At rest there is no hold time, no verdict, no requests and no next step."""
    live = live_of(_look(state))

    assert (live.hold, live.requests, live.verdict, live.next_step_in_seconds) == (None, None, None, None)
    assert live.missing == []


def test_the_evidence_of_a_rollback_stays() -> None:
    """After a rollback the checks still tell why."""
    live = live_of(_look(replace(aborted().state, evidence=(REPORT,))))

    assert (live.phase, live.verdict, [check.name for check in live.checks]) == ("Aborted", None, ["errors"])


def test_without_checks_nothing_is_judged() -> None:
    """An analysis that is off has no verdict and counts no requests."""
    live = live_of(_look(_judged(evidence=()), rollout(analysis={"checks": []})))

    assert (live.verdict, live.requests, live.checks) == (None, None, [])


def test_between_attempts_an_old_word_is_not_told() -> None:
    """Before the canary has weight, nothing of this attempt was judged."""
    live = live_of(_look(_judged(step=0, share=0.0, evidence=())))

    assert (live.verdict, live.hold) == (None, None)


def test_on_the_way_to_the_end_there_is_no_next_step() -> None:
    """A promotion has neither hold time nor a next step."""
    live = live_of(_look(_judged(phase=Phase.PROMOTING, step=2, share=100.0)))

    assert (live.hold, live.next_step_in_seconds) == (None, None)


def test_an_invalid_one_tells_its_problems() -> None:
    """All of them, and no plan."""
    state = _judged(phase=Phase.INVALID, before_invalid=Phase.PROGRESSING, reason="InvalidSpec", message="it is wrong")
    live = live_of(_look(state, None, problems=("spec.steps: wrong", "no route")))

    assert (live.problems, live.steps, live.hold) == (["spec.steps: wrong", "no route"], [], None)


def test_a_waiting_command_is_told() -> None:
    """With its id and action."""
    command = Command("x-1", "abort", at=NOW)
    live = live_of(_look(_judged(), stored=StoredRollout(WEB, {}, {}, "7", 1, command=command)))

    assert live.waiting is not None
    assert (live.waiting.id, live.waiting.action, live.waiting.state) == ("x-1", "abort", "waiting")


def test_a_new_one_has_no_phase() -> None:
    """The phase is empty until the controller has looked."""
    assert live_of(_look(State(), is_new=True)).phase == ""


@given(
    st.sampled_from(Phase),
    st.integers(-2, 5),
    st.floats(),
    st.floats(),
    st.sampled_from([None, JUDGED, rollout()]),
)
def test_whatever_there_is_to_see_can_be_told(  # noqa: PLR0917 - as hypothesis gives them
    phase: Phase, step: int, evidence: float, limit: float, wanted: Rollout | None
) -> None:
    """Any state becomes JSON that a client reads again."""
    report = replace(REPORT, log_evidence=evidence, limit=limit)
    live = live_of(_look(_judged(phase=phase, step=step, evidence=(report,)), wanted))

    assert Live.model_validate_json(live.model_dump_json(by_alias=True)) == live


# ---------------------------------------------------------------- the route


async def test_the_route_answers_a_running_attempt() -> None:
    """A viewer gets where it stands, right now."""
    async with world() as api:
        await api.under_way()
        reply = await api.ask("GET", "/api/v1/rollouts/shop/web/live", token=VIEWER)

    live = Live.model_validate_json(reply.content)
    assert (reply.status, live.phase, live.step, live.steps) == (200, "Progressing", 1, [10, 50])
    assert (live.stable, live.canary, live.weights.intended) == (V1, V2, {V1: 90, V2: 10})
    assert live.health[V2].ready == 2
    assert "nextStepInSeconds" in json.loads(reply.content)


async def test_a_look_costs_no_question_and_no_write() -> None:
    """However often it is asked, the source is not asked more, and no version changes."""
    async with world() as api:
        await api.standing()
        before = api.store.read(WEB)
        replies = await asyncio.gather(*(api.ask("GET", "/api/v1/rollouts/shop/web/live") for _ in range(50)))
        after = api.store.read(WEB)

    assert {reply.status for reply in replies} == {200}
    assert api.measurements.asks == []
    assert after == before


async def test_before_the_controller_works_there_is_what_is_stored() -> None:
    """A Rollout that nobody has looked at yet has an empty phase and its plan."""
    async with world(controlling=False) as api:
        await api.apply()
        reply = await api.ask("GET", "/api/v1/rollouts/shop/web/live")

    assert (reply.status, reply.json["phase"], reply.json["steps"]) == (200, "", [10, 50])


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/api/v1/rollouts/shop/nobody/live", VIEWER, 404),
        ("/api/v1/rollouts/shop/web/live", NOBODY, 403),
        ("/api/v1/rollouts/shop/web/live", "", 401),
        ("/api/v1/rollouts/shop/web/live?x=1", VIEWER, 422),
    ],
)
async def test_what_cannot_be_looked_at_is_a_problem(path: str, token: str, status: int) -> None:
    """An unknown Rollout, a caller without the right or without a token, an unknown parameter."""
    async with world() as api:
        await api.standing()
        reply = await api.ask("GET", path, token=token)

    assert (reply.status, reply.headers["Content-Type"]) == (status, "application/problem+json")

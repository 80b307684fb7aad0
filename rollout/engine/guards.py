"""Guards: what a step still waits for, as a list of small functions that give (reason, message) or nothing.

The first that speaks is what people read; a step is left when none does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.analysis.judge import Judgement, Verdict
from rollout.analysis.reasons import Reason as Verdicts
from rollout.engine import gates
from rollout.engine.attempt import is_written
from rollout.engine.moves import Context
from rollout.engine.observation import Acceptance
from rollout.engine.reasons import Reason
from rollout.engine.state import State
from rollout.engine.workloads import not_up
from rollout.spec import plan
from rollout.spec.quantities import format_duration
from rollout.spec.resource import Step

EARLY_PASS_PART = 0.25
"""With ``earlyPass``, a step takes at least this part of its hold time."""

LEAST_SECONDS = 0.001
"""Hold time shorter than this is over."""

FRESH_CADENCES = 2
"""A sample is fresh for so many cadences."""

SOON_PART = 0.1
"""A sample that is late by less than this part of the cadence is waited for."""

Waiting = tuple[str, str]


@dataclass(frozen=True, slots=True)
class At:
    """What the guards look at: the state, the context, the judge's word of this pass (None: no analysis yet)."""

    state: State
    context: Context
    judgement: Judgement | None

    @property
    def step(self) -> Step | None:
        """Return the step that the attempt is in, None before the first and after the last."""
        place = self.state.step
        return self.context.steps[place - 1] if 0 < place <= len(self.context.steps) else None


def unwritten(at: At) -> Waiting | None:
    """Wait until the routes say what is intended."""
    if is_written(at.state, at.context):
        return None
    why = at.context.seen.write_problem
    return Reason.WAITING_FOR_WRITE, f"The intended weights are not in every route yet{f': {why}' if why else ''}."


def unaccepted(at: At) -> Waiting | None:
    """Wait until the gateway has accepted the routes as they stand (Gateway API: parents' Accepted, ResolvedRefs)."""
    if not at.state.gateway.verify_route_status:
        return None
    for rule in at.state.owned:
        view = at.context.seen.routes.get(rule.route)
        if view is not None and view.acceptance is not Acceptance.ACCEPTED:
            what = "has not accepted" if view.acceptance is Acceptance.PENDING else "refuses"
            return (
                Reason.WAITING_FOR_ROUTES,
                f"The gateway {what} {view.key}{f': {view.message}' if view.message else ''}.",
            )
    return None


def stable_down(at: At) -> Waiting | None:
    """Hold while stable has no ready endpoint: an Envoy-based gateway may then send everything to the canary."""
    if not at.context.is_down(at.state.stable):
        return None
    return Reason.CANARY_CARRIES_ALL, f"{at.state.stable} has no ready endpoint; the canary may carry all traffic."


def canary_not_ready(at: At) -> Waiting | None:
    """Wait for a ready endpoint of the canary before it gets weight, or more of it; at first for its workload, too."""
    is_first = not at.state.step and not at.state.share
    if is_first and (why := not_up(at.state, at.context)):
        return Reason.CANARY_NOT_READY, why
    if at.context.is_ready(at.state.canary):
        return None
    found = at.context.endpoints(at.state.canary)
    seen = f"has {found.ready} of {found.total} endpoints ready" if found.known else "has not been seen yet"
    return Reason.CANARY_NOT_READY, f"{at.state.canary} {seen}."


def verdict_holds(at: At) -> Waiting | None:
    """Hold as the judge says."""
    if at.judgement is None or at.judgement.verdict is not Verdict.HOLD:
        return None
    return at.judgement.reason, _sentence(at.judgement.message)


def ineffective(at: At) -> Waiting | None:
    """Hold while the canary's share of requests is under a third or over three times its weight."""
    if at.state.effective != "Blocks":
        return None
    judge = at.state.judge
    counts = f"{judge.changed_canary} of {judge.changed_canary + judge.changed_stable}" if judge else "none"
    return Reason.WEIGHTS_INEFFECTIVE, f"The canary got {counts} requests at a weight of {at.state.share:g} %."


def plan_too_short(at: At) -> Waiting | None:
    """Say as soon as the traffic is known that the hold time cannot bring enough requests, and which weight would."""
    judge, spec = at.state.judge, at.context.spec
    if too_few_requests(at) is None or judge is None or spec is None or judge.requests_per_second is None:
        return None
    wanted, rate = spec.analysis.min_requests, judge.requests_per_second
    for shortage in plan.too_few_requests(at.context.steps, min_requests=wanted, requests_per_second=rate):
        if shortage.of_attempt and shortage.step == at.state.step - 1:
            return Verdicts.TOO_FEW_REQUESTS, _sentence(f"At {rate:.2g} requests a second {shortage.sentence()}")
    return None


def hold_time(at: At) -> Waiting | None:
    """Wait for the hold time, unless it was skipped or enough has been seen early."""
    step, now = at.step, at.context.now
    if step is None or at.state.hold_over or _passed_early(at, step):
        return None
    left = step.hold - at.state.hold.at(now)
    if left < LEAST_SECONDS:
        return None
    times = f"{format_duration(max(1, round(left)))} of {format_duration(step.hold)} hold time left"
    return Reason.HOLDING, f"Step {at.state.step} of {len(at.context.steps)} at {step.weight:g} %: {times}."


def _passed_early(at: At, step: Step) -> bool:
    early = at.judgement is not None and at.judgement.reason == Verdicts.EARLY_PASS
    return early and at.state.hold.at(at.context.now) >= step.hold * EARLY_PASS_PART


def too_few_requests(at: At) -> Waiting | None:
    """Wait for the attempt's least number of canary requests; a step never passes without it."""
    if at.judgement is None or at.judgement.reason != Verdicts.TOO_FEW_REQUESTS or at.state.share == 0:
        return None
    return at.judgement.reason, _sentence(at.judgement.message)


def step_requests(at: At) -> Waiting | None:
    """Wait for the step's own least number of canary requests."""
    step, judge = at.step, at.state.judge
    if step is None or judge is None or judge.step_canary_requests >= step.min_requests:
        return None
    message = f"{judge.step_canary_requests} of {step.min_requests} requests that step {at.state.step} asks for."
    return Reason.WAITING_FOR_REQUESTS, message


def fresh_tick(at: At) -> Waiting | None:
    """Wait until one fresh sample was judged since this controller started."""
    judge, spec = at.state.judge, at.context.spec
    started = at.context.seen.session_started_at
    nothing_to_judge = spec is None or not spec.analysis.checks or at.state.share == 0
    if judge is None or nothing_to_judge or at.state.step_at >= started:
        return None
    oldest = at.context.now - FRESH_CADENCES * at.context.seen.cadence_seconds
    if at.state.looked_at >= started and judge.last_tick_at is not None and judge.last_tick_at >= oldest:
        return None
    return Reason.WAITING_FOR_FRESH_TICK, "No fresh sample has been judged since the controller started."


def sample_due(at: At) -> Waiting | None:
    """Wait for a sample that should be there any moment: it may be the one that shows the harm."""
    judge, cadence = at.state.judge, at.context.seen.cadence_seconds
    if judge is None or judge.last_tick_at is None or at.state.share == 0:
        return None
    late = at.context.now - (judge.last_tick_at + cadence)
    if not 0 <= late < SOON_PART * cadence:
        return None
    return Reason.HOLDING, f"Step {at.state.step} of {len(at.context.steps)}: its last sample is due."


def approval(at: At) -> Waiting | None:
    """Wait for a person's approval."""
    if at.step is None or not at.step.approval or at.state.approved_step == at.state.step:
        return None
    return Reason.WAITING_FOR_APPROVAL, f"Step {at.state.step} of {len(at.context.steps)} needs an approval."


def hooks(at: At) -> Waiting | None:
    """Hold until every hook of the step has taken its call: what it brings, as load, is what the step is about."""
    return _no(gates.of_step(at.state, at.context), at)


def exit_gates(at: At) -> Waiting | None:
    """Wait until every gate agrees, those before promotion with the last step's."""
    return _no(gates.to_leave(at.state, at.context), at)


def _no(calls: tuple[gates.Call, ...], at: At) -> Waiting | None:
    no = gates.said_no(calls, at.context)
    return None if no is None else (Reason.WAITING_FOR_GATE, f"{no[0]}: {no[1]}.")


def unasked(at: At) -> bool:
    """Return whether it is gates that are waited for, and none of them has said no."""
    calls = gates.of_step(at.state, at.context) or gates.to_leave(at.state, at.context)
    return gates.are_unasked(calls, at.context)


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:]}{'' if message.endswith('.') else '.'}"


Guard = Callable[[At], Waiting | None]

WRITTEN: tuple[Guard, ...] = (unwritten, unaccepted)
"""What the end of an attempt waits for, and the hooks of a step."""

COUNTING: tuple[Guard, ...] = (*WRITTEN, stable_down, verdict_holds, ineffective, hooks)
"""While one of these speaks, hold time stands still."""

_BY_TIME: tuple[Guard, ...] = (canary_not_ready, plan_too_short, hold_time)
BEFORE_GATES: tuple[Guard, ...] = (*_BY_TIME, too_few_requests, step_requests, fresh_tick, sample_due, approval)
"""The rest of what a step waits for, but for its gates (which are called only when nothing else is left)."""

LEAVING: tuple[Guard, ...] = (*COUNTING, *BEFORE_GATES, exit_gates)


def calls(at: At) -> tuple[gates.Call, ...]:
    """Return the gates whose turn it is: the step's hooks once its weights stand, the others when nothing else is left.

    What others answered that were asked before, when nothing else was left, may not end the attempt now.
    """
    if of_step := gates.of_step(at.state, at.context):
        return of_step if first(WRITTEN, at) is None else ()
    waits = first((*COUNTING, *BEFORE_GATES), at) is not None
    return () if waits else gates.to_leave(at.state, at.context)


def first(guards: tuple[Guard, ...], at: At) -> Waiting | None:
    """Return what the first guard that speaks says."""
    return next((said for guard in guards if (said := guard(at)) is not None), None)

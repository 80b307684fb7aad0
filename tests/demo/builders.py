"""Builds values of the demo for its tests."""

from collections.abc import Sequence

from rollout.analysis.judge import CheckReport, Verdict
from rollout.demo.acts import ACTS, ActName, ActResult, Outcome, RampStep, Return, ServiceResult
from rollout.demo.scene import Scene, Stage
from rollout.engine.state import Failing, State, Tiers, Transition
from rollout.engine.table import Phase
from rollout.failover.state import FailoverState
from rollout.failover.table import Stage as Standing
from rollout.spec.failover import Failover

LEFT = "Failover 1: shop-blue is down (probe: connection refused)."
SENTENCE = "Rolled back: canary failed 8 of 137 requests (5.84%), stable 2 of 2849 (0.07%)."


def a_transition(
    number: int, phase: Phase = Phase.PROGRESSING, *, at: float = 0.0, service: str = "shop"
) -> Transition:
    """Return a transition of this number; its sentence names it."""
    weights = ((f"{service}-blue", 90), (f"{service}-green", 10))
    return Transition(number, at, phase, 1, weights, "StepStarted", f"Sentence {number} of {service}.")


def a_state(
    service: str = "shop", *, phase: Phase = Phase.PROGRESSING, transitions: Sequence[Transition] = ()
) -> State:
    """Return a state in the first of four steps, with some evidence of errors."""
    check = CheckReport(
        "errors", "Errors", Verdict.CONTINUE, "WithinTolerance", SENTENCE, 2.3, 4.6, 8, 137, 2, 2849, dry_run=False
    )
    return State(
        phase=phase,
        reason="Holding",
        message="2.0s of 5s are over.",
        attempt=1,
        step=1,
        stable=f"{service}-blue",
        canary=f"{service}-green",
        share=10.0,
        steps_seen=(10.0, 25.0, 50.0, 95.0),
        evidence=(check,),
        transitions=tuple(transitions),
    )


def a_failover(service: str = "shop", stage: Standing = Standing.FAILED_OVER) -> State:
    """Return the state of a Rollout at rest whose failover stands there, or is back from there."""
    away = stage is not Standing.NORMAL
    made = Transition(
        1, 5.0, Phase.IDLE, 0, ((f"{service}-blue", 0), (f"{service}-backup", 100)), "FailedOver", LEFT,
        Failing(stage, f"{service}-backup" if away else "", 1),
    )  # fmt: skip
    return State(
        stable=f"{service}-blue",
        canary=f"{service}-green",
        seen_revision="v1",
        tiers=Tiers(Failover(), (f"{service}-backup",)),
        failover=FailoverState(stage, epoch=1, reason="FailedOver" if away else "Watching", message=LEFT),
        transitions=(made,),
    )


def a_stage(service: str = "shop", state: State | None = None, *, failed: int = 0) -> Stage:
    """Return a service with 10% of its traffic on the canary."""
    weights = {f"{service}-blue": 90, f"{service}-green": 10}
    revisions = {f"{service}-blue": "v1", f"{service}-green": "v2"}
    return Stage(service, "HTTP", state, weights, revisions, 199.6, failed, 0.020, 0.060)


def a_scene(*stages: Stage, act: ActName | None = ActName.ERRORS, elapsed_seconds: float = 12.0) -> Scene:
    """Return a picture of these services in the second act."""
    chosen = ACTS[act] if act is not None else None
    return Scene(chosen, 2, 3, 100.0, elapsed_seconds, stages, "127.0.0.1:1234", "Envoy's admin endpoint")


def a_service_result(
    service: str = "shop", outcome: Outcome | None = Outcome.ROLLED_BACK, *, zero: float | None = 3.2
) -> ServiceResult:
    """Return how one service fared: 8 of 1600 requests failed."""
    return ServiceResult(service, outcome, 8.0, zero, 1600, 8, SENTENCE)


def a_result(*services: ServiceResult, act: ActName = ActName.ERRORS) -> ActResult:
    """Return how an act went."""
    return ActResult(ACTS[act], 8.5, services or (a_service_result("shop"), a_service_result("cart", zero=4.5)))


def a_failover_result(*, took_seconds: float | None = 0.112) -> ActResult:
    """Return how the act with a failover went: the backup of cart was quicker."""
    ramp = (RampStep(0.0, 10), RampStep(3.02, 50), RampStep(6.04, 100))
    shop = ServiceResult("shop", Outcome.FAILED_BACK, 16.0, None, 3000, 24, LEFT, Return(took_seconds, ramp))
    cart = ServiceResult("cart", Outcome.FAILED_BACK, 16.5, None, 3000, 22, LEFT, Return(0.098, ramp))
    return ActResult(ACTS[ActName.FAILOVER], 17.0, (shop, cart))

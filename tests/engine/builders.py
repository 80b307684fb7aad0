"""Short ways to say what is wanted, what is seen, and what passes make of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rollout.analysis.samples import ERRORS, Batch, Family, Series
from rollout.engine.commands import MOST_ANSWER
from rollout.engine.decide import Decision, acknowledge, decide
from rollout.engine.gates import asked_of
from rollout.engine.hooks import Fault, GateAnswer, GateKey, Hook
from rollout.engine.moves import MOST_MESSAGE, Context
from rollout.engine.observation import (
    Acceptance,
    BackendKey,
    Command,
    Endpoints,
    Observation,
    Ref,
    RouteKey,
    RouteView,
    Rule,
    WorkloadKey,
    WorkloadView,
)
from rollout.engine.orders import CopyTemplate, Scale
from rollout.engine.state import Handled, State
from rollout.engine.table import Phase
from rollout.spec.built_in import built_in_policy
from rollout.spec.merge import effective
from rollout.spec.resource import Gate, Rollout

V1, V2, DR = "checkout-v1", "checkout-v2", "checkout-dr"
ROUTE = RouteKey("HTTPRoute", "shop", "checkout")
NOW = 1_000_000.0
UP, DOWN = Endpoints(ready=2, total=2), Endpoints(ready=0, total=2)
BOTH_UP: Mapping[str, Endpoints] = {V1: UP, V2: UP}
NO_ANALYSIS: Mapping[str, object] = {"checks": []}
ERRORS_ONLY: Mapping[str, object] = {"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "0s"}
STEPS: tuple[Mapping[str, object], ...] = ({"weight": 5, "hold": "2m"}, {"weight": 50, "hold": "5m"})
"""Two steps."""


def rollout(**spec: object) -> Rollout:
    """Return a sound Rollout of one HTTPRoute without checks, `spec` laid over its spec; None takes a field away."""
    whole: dict[str, object] = {
        "routes": [{"kind": ROUTE.kind, "name": ROUTE.name}],
        "backends": {"stable": {"name": V1}, "canary": {"name": V2}},
        "steps": list(STEPS),
        "revision": "1",
        "analysis": NO_ANALYSIS,
        **spec,
    }
    kept = {name: value for name, value in whole.items() if value is not None}
    document = {"kind": "Rollout", "metadata": {"name": "checkout", "namespace": "shop"}, "spec": kept}
    return effective(document, None, built_in_policy())


def backend(name: str, *, port: int = 0, namespace: str = "shop") -> BackendKey:
    """Return the key of a backend of the namespace `shop`."""
    return BackendKey(namespace, name, port)


def rule(weights: Mapping[str, int], *, index: int = 0, name: str = "") -> Rule:
    """Return a rule with these weights by backend name."""
    return Rule(index, name, tuple(Ref(backend(one), weight) for one, weight in weights.items()))


def route(*rules: Rule, version: str = "1", **fields: object) -> RouteView:
    """Return the route `checkout` with these rules."""
    return replace(RouteView(ROUTE, rules, version), **fields)  # type: ignore[arg-type]


def weighing(stable: int, canary: int, **others: int) -> RouteView:
    """Return the route with one rule that gives these weights; others by name, `_` for `-`."""
    more = {name.replace("_", "-"): weight for name, weight in others.items()}
    return route(rule({V1: stable, V2: canary, **more}))


def seen(view: RouteView | None = None, *, now: float = NOW, **fields: object) -> Observation:
    """Return an observation of one route (by default 100 to 0), both backends up, a session that began long ago."""
    base = Observation(
        now=now,
        session_started_at=NOW - 3600,
        cadence_seconds=10.0,
        routes={ROUTE: view if view is not None else weighing(100, 0)},
        endpoints=BOTH_UP,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def workload(name: str, template: str = "one", *, replicas: int = 3, **fields: object) -> WorkloadView:
    """Return the Deployment `name` with all its pods there; fields lay over it."""
    key = WorkloadKey("Deployment", "shop", name)
    view = WorkloadView(key, "1", template, replicas, updated=replicas, ready=replicas)
    return replace(view, **fields)  # type: ignore[arg-type]


def context(wanted: Rollout | None = None, observation: Observation | None = None, **fields: object) -> Context:
    """Return the context of a decision, by default for `rollout()`; fields are those of `seen`."""
    return Context.of(
        wanted if wanted is not None else rollout(),
        observation if observation is not None else seen(**fields),  # type: ignore[arg-type]
    )


def command(action: str, *, at: float = NOW, id: str = "", **args: object) -> Command:  # noqa: A002 - as a command has it
    """Return a command of this moment."""
    return Command(id=id or f"{action}-{at:g}", action=action, args=args, at=at)


def key_of(gate: Mapping[str, object], hook: Hook = Hook.STEP, step: int = 1) -> GateKey:
    """Return the key of the call of this gate of a spec, as attempt 1 makes it."""
    return GateKey(hook, str(gate["name"]), 1, step, asked_of(Gate.model_validate(gate)))


def answered(
    gate: Mapping[str, object],
    *,
    hook: Hook = Hook.STEP,
    step: int = 1,
    message: str = "answered 200",
    at: float = NOW,
    fault: Fault = Fault.NONE,
) -> dict[GateKey, GateAnswer]:
    """Return the answer of a gate of a spec that attempt 1 asked; it agrees with 200."""
    said = GateAnswer(agrees="200" in message, message=message, at=at, fault=fault)
    return {key_of(gate, hook, step): said}


def batch(*samples: tuple[float, float, float], bad: int = 0) -> Batch:
    """Return a batch of errors from (time, requests of stable, of canary), `bad` of the canary's at the end."""

    def family(place: int, failed: int) -> Family:
        total = tuple((float(sample[0]), float(sample[place])) for sample in samples)
        part = tuple((at, 0.0 if (at, _) != total[-1] else float(failed)) for at, _ in total)
        return Family((Series("total", "i", "", total),), (Series("bad", "i", "", part),))

    return Batch(counters={(V1, ERRORS): family(1, 0), (V2, ERRORS): family(2, bad)})


@dataclass(slots=True)
class World:
    """A Rollout that passes are run for: writes and orders land at once unless `lost`; pods come when `rolled`."""

    wanted: Rollout | None = field(default_factory=rollout)
    state: State = field(default_factory=State)
    now: float = NOW
    views: dict[RouteKey, RouteView | None] = field(default_factory=lambda: {ROUTE: weighing(100, 0)})
    endpoints: dict[str, Endpoints] = field(default_factory=lambda: dict(BOTH_UP))
    workloads: dict[str, WorkloadView | None] = field(default_factory=dict)
    lost: bool = False

    def look(self, *, after: float = 0.0, ask: str = "", **fields: object) -> Decision:
        """Run one pass `after` seconds from the last, with a command `ask` and other fields of the observation."""
        self.now += after
        if ask:
            fields["command"] = command(ask, at=self.now, id=f"{ask}-{len(self.state.handled)}-{self.state.number}")
        return self.take(decide(self.wanted, self.state, self.observation(**fields)))

    def take(self, decision: Decision) -> Decision:
        """Keep the state of a decision and carry out its writes; return the decision."""
        self.state = decision.state
        if not self.lost and decision.writes:
            self._land(decision)
        if not self.lost and decision.orders:
            self._carry_out(decision)
        return decision

    def tell(self, action: str, **args: object) -> Decision:
        """Run one pass with this command."""
        given = command(action, at=self.now, id=f"{action}-{len(self.state.handled)}-{self.state.number}", **args)
        return self.look(command=given)

    def observation(self, **fields: object) -> Observation:
        """Return what there is to see now."""
        return replace(
            seen(
                now=self.now,
                endpoints=dict(self.endpoints),
                routes=dict(self.views),
                workloads=dict(self.workloads),
            ),
            **fields,  # type: ignore[arg-type]
        )

    def _land(self, decision: Decision) -> None:
        for write in decision.writes:
            view = self.views[write.route]
            assert view is not None
            assert view.version == write.expected
            wanted = {ours.index: ours.weights for ours in write.rules}
            rules = tuple(_rewritten(one, wanted.get(one.index, {})) for one in view.rules)
            self.views[write.route] = replace(view, rules=rules, version=f"{int(view.version) + 1}", changed_by="")
        self.state = acknowledge(self.state, decision.writes, self.now)

    def _carry_out(self, decision: Decision) -> None:
        for order in decision.orders:
            match order:
                case CopyTemplate(source, target, template, expected):
                    giving = self.workloads[source.name]
                    assert giving is not None
                    assert giving.template == template
                    self.change(target.name, template, expected=expected)
                case Scale(key, replicas, expected):
                    view = self.workloads[key.name]
                    assert view is not None
                    assert view.version == expected
                    self._now_is(key.name, replace(view, replicas=replicas, settled=False))

    def change(self, name: str, template: str, *, expected: str = "") -> None:
        """Give a workload another pod template, as somebody or an order does; no pod has it yet."""
        view = self.workloads[name]
        assert view is not None
        assert expected in {"", view.version}
        self._now_is(name, replace(view, template=template, updated=0, ready=0, settled=False, failed=""))

    def rolled(self, name: str, *, ready: int | None = None, **fields: object) -> None:
        """Let the platform roll a workload out, all pods or as far as is said."""
        view = self.workloads[name]
        assert view is not None
        there = view.replicas if ready is None else ready
        self._now_is(name, replace(view, updated=there, ready=there, settled=True, **fields))  # type: ignore[arg-type]

    def _now_is(self, name: str, view: WorkloadView) -> None:
        self.workloads[name] = replace(view, version=f"{int(view.version) + 1}")

    def meddle(self, stable: int, canary: int, *, by: str = "") -> None:
        """Let somebody else write these weights into every rule of every route."""
        for key, view in self.views.items():
            if view is not None:
                given = {backend(V1): stable, backend(V2): canary}
                rules = tuple(_rewritten(one, given) for one in view.rules)
                self.views[key] = replace(view, rules=rules, version=f"{int(view.version) + 1}", changed_by=by)

    def weights(self, key: RouteKey = ROUTE) -> tuple[int, ...]:
        """Return the weights of the route's first rule, in its order."""
        view = self.views[key]
        assert view is not None
        return tuple(ref.weight for ref in view.rules[0].refs)

    def accept(self, acceptance: Acceptance, message: str = "") -> None:
        """Let the gateway say this of the route."""
        view = self.views[ROUTE]
        assert view is not None
        self.views[ROUTE] = replace(view, acceptance=acceptance, message=message)


def _rewritten(one: Rule, given: Mapping[BackendKey, int]) -> Rule:
    return replace(one, refs=tuple(replace(ref, weight=given.get(ref.backend, ref.weight)) for ref in one.refs))


def at_rest(**spec: object) -> World:
    """Return a world whose baseline is adopted: v1 stable, phase Idle."""
    world = World(rollout(**spec))
    world.look()
    return world


def under_way(**spec: object) -> World:
    """Return a world in step 1 of attempt 1 for revision 2, its weights written and seen."""
    world = at_rest(**spec)
    world.tell("start", revision="2")
    world.look()
    assert world.state.phase is Phase.PROGRESSING
    return world


def aborted(**spec: object) -> World:
    """Return a world after an attempt that was aborted, its weights back."""
    world = under_way(**spec)
    world.tell("abort")
    world.look()
    assert world.state.phase is Phase.ABORTED
    return world


NAMED: Mapping[str, object] = {
    "stable": {"kind": "Deployment", "name": V1},
    "canary": {"kind": "Deployment", "name": V2},
}
"""The workloads of the Rollout, named as their backends."""


def with_workloads(stable: str = "one", canary: str = "one", /, **spec: object) -> World:
    """Return a world at rest with a workload behind each backend, of three pods each, that run these templates."""
    world = World(rollout(**{"start": "OnWorkload", "revision": None, "workloads": NAMED, **spec}))
    world.workloads = {V1: workload(V1, stable), V2: workload(V2, canary)}
    world.look()
    return world


def with_long_names(state: State, names: Sequence[str]) -> State:
    """Return the state with these backends, and the longest answers and messages there can be."""
    weights = tuple((name, 1_000_000) for name in names)
    rule = replace(state.owned[0], backends=tuple(backend(name) for name in names), acknowledged=weights)
    handled = Handled("i" * 36, "failover", done=False, reason="BackupNotHealthy", message="m" * MOST_ANSWER)
    return replace(
        state,
        owned=(rule,),
        observed=weights,
        ready=tuple((name, "Unhealthy") for name in names),
        handled=(handled,) * 20,
        message="m" * MOST_MESSAGE,
        stable=names[0],
        canary=names[1],
        failover=replace(state.failover, shares=((names[2], 100),), active=names[2], message="m" * MOST_MESSAGE),
    )

"""The catalog: what each Rollout effectively wants, merged with its policy, worked out once for each change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from rollout.controller.zones import zone_problems
from rollout.engine.workloads import NOT_SCALED
from rollout.errors import ConfigurationError, Problem
from rollout.ports import RolloutStore, StoredRollout
from rollout.spec.merge import effective
from rollout.spec.resource import PolicyRef, PromotionMode, Rollout, RolloutSpec, RouteKind, StartMode

SHARED = ("analysis", "gateway", "hooks", "metrics", "promotion", "steps", "workloads")
"""The parts of a spec that many Rollouts have alike."""

MOST_SHARED = 10_000
"""How many parts are remembered before all are forgotten; those in use stay with their Rollouts."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a runtime can do: which kinds of routes it has, and whether it sees workloads."""

    kinds: frozenset[RouteKind] = frozenset(RouteKind)
    workloads: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """A Rollout as it is effective (None: invalid), and one sentence for each problem; ``uid`` says of which life."""

    rollout: Rollout | None
    problems: tuple[str, ...]
    uid: str
    generation: int
    policy: Mapping[str, object] | None

    def is_of(self, stored: StoredRollout, policy: Mapping[str, object] | None) -> bool:
        """Return whether this is what ``stored`` wants under ``policy``."""
        return (self.uid, self.generation) == (stored.uid, stored.generation) and self.policy is policy


class Catalog:
    """Resolves stored Rollouts; the last answer of each is kept by its caller and handed in again."""

    def __init__(self, store: RolloutStore, built_in: Mapping[str, object], abilities: Abilities) -> None:
        """Resolve with the policies of ``store``, over the ``built_in`` one."""
        self._store = store
        self._built_in = built_in
        self._abilities = abilities
        self._shared: dict[tuple[str, str], object] = {}

    def resolve(self, stored: StoredRollout, before: Resolved | None) -> Resolved:
        """Return what ``stored`` effectively wants; ``before`` again when nothing changed."""
        policy = self._policy(stored)
        if before is not None and before.is_of(stored, policy):
            return before
        rollout, problems = self._effective(stored, policy)
        return Resolved(rollout, tuple(map(str, problems)), stored.uid, stored.generation, policy)

    def _effective(
        self, stored: StoredRollout, policy: Mapping[str, object] | None
    ) -> tuple[Rollout | None, tuple[Problem, ...]]:
        if stored.problems:
            return None, stored.problems
        try:
            rollout = effective(stored.document, policy, self._built_in)
        except ConfigurationError as error:
            return None, error.problems
        lacking = self.lacking(rollout)
        return (None if lacking else self._sharing(rollout)), lacking

    def _policy(self, stored: StoredRollout) -> Mapping[str, object] | None:
        spec = stored.document.get("spec")
        named = spec.get("policy") if isinstance(spec, Mapping) else None
        try:
            ref = PolicyRef.model_validate(named) if named is not None else None
        except ValidationError:
            return None  # the same fault is found, and said, when the Rollout is read
        return self._store.policy(ref, stored.key.namespace) if ref is not None else None

    def _sharing(self, rollout: Rollout) -> Rollout:
        """Return the Rollout with what it has in common with others kept once: most have the parts of their policy."""
        spec = rollout.spec
        parts: dict[str, object] = {}
        if len(self._shared) > MOST_SHARED:
            self._shared.clear()
        for name in SHARED:
            part = getattr(spec, name)
            parts[name] = self._shared.setdefault((name, repr(part)), part)
        return rollout.model_copy(update={"spec": spec.model_copy(update=parts)})

    def lacking(self, rollout: Rollout) -> tuple[Problem, ...]:
        """Return what the Rollout asks for and the runtime does not have."""
        spec, kinds = rollout.spec, self._abilities.kinds
        allowed = ", ".join(sorted(kinds))
        lacking = [
            Problem(f"spec.routes[{n}].kind", f"this runtime has no {route.kind.value}", allowed=allowed)
            for n, route in enumerate(spec.routes)
            if route.kind not in kinds
        ]
        lacking += zone_problems(rollout)
        if self._abilities.workloads:
            return (*lacking, *_of_workloads(spec))
        if spec.start is StartMode.ON_WORKLOAD:
            needs, allowed = "OnWorkload needs a runtime with workloads", "OnRevision, Manual"
            lacking.append(Problem("spec.start", needs, allowed=allowed))
        if spec.promotion.mode is PromotionMode.COPY_TEMPLATE:
            needs = "CopyTemplate needs a runtime with workloads"
            lacking.append(Problem("spec.promotion.mode", needs, allowed="Swap"))
        return tuple(lacking)


def _of_workloads(spec: RolloutSpec) -> Iterator[Problem]:
    """Yield what of the workloads does not fit together: each backend's own, both named where both are needed."""
    stable, canary = spec.workloads.stable, spec.workloads.canary
    needing = [word for word, needs in _needing(spec) if needs]
    if needing and (stable is None or canary is None):
        yield Problem("spec.workloads", f"{' and '.join(needing)} needs both workloads", allowed="stable and canary")
    if stable is not None and canary is not None and (stable.kind, stable.name) == (canary.kind, canary.name):
        same = f"{stable.kind} {stable.name}"
        yield Problem("spec.workloads", "both backends have the same workload", given=same, allowed="one for each")
    for role, workload in (("stable", stable), ("canary", canary)):
        if workload is not None and workload.kind == NOT_SCALED and (workload.scale_up or workload.scale_down):
            why = "a DaemonSet has as many pods as there are nodes for it, so it is never scaled"
            yield Problem(f"spec.workloads.{role}.kind", why, allowed="Deployment or StatefulSet, or no scaling")


def _needing(spec: RolloutSpec) -> tuple[tuple[str, bool], ...]:
    return (
        (StartMode.ON_WORKLOAD, spec.start is StartMode.ON_WORKLOAD),
        (PromotionMode.COPY_TEMPLATE, spec.promotion.mode is PromotionMode.COPY_TEMPLATE),
    )

"""The rehearsal file, read: the scenario, its manifests, and every problem at once with file and line.

Called by ``rollout rehearse`` and by tests. A manifest may stand in the file or in one of its own; a policy
that the Rollout names and that is not there is not a problem, because a story may be about that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from rollout.errors import ConfigurationError, Problem
from rollout.rehearsal.documents import Document, documents_at, policy_of, text_of
from rollout.rehearsal.layout import Layout, layout_of
from rollout.rehearsal.rules import problems_of, problems_with
from rollout.rehearsal.scenario import Scenario
from rollout.spec.analysis import SlowerThanCheck
from rollout.spec.built_in import built_in_policy
from rollout.spec.merge import POLICIES, cleaned, examine, examine_policy, over
from rollout.spec.reading import read
from rollout.spec.resource import Rollout
from rollout.spec.text import Manifest, manifests_in


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A rehearsal that can be run: the scenario and what was worked out from its manifests.

    ``bounds`` are all bounds (seconds, rising) that a SlowerThan check looks at during the run.
    """

    scenario: Scenario
    rollout: Mapping[str, object]
    policies: tuple[Mapping[str, object], ...]
    layout: Layout
    bounds: tuple[float, ...]


@dataclass(slots=True)
class _Found:
    """What is being read, and what is wrong with it so far."""

    path: Path
    manifest: Manifest
    problems: list[Problem] = field(default_factory=list)

    def add(self, problems: Iterable[Problem]) -> None:
        """Note problems of the rehearsal file itself."""
        source = str(self.path)
        self.problems += [replace(p, source=source, line=self.manifest.line_of(p.field)) for p in problems]


def read_file(path: Path) -> Rehearsal:
    """Return the rehearsal in the file ``path``.

    Raises:
        ConfigurationError: it cannot be read, or something is wrong with it; it has every problem.
    """
    found = _Found(path, _only_document(path))
    document = found.manifest.value
    if not isinstance(document, Mapping):
        raise ConfigurationError((Problem("", "must be a mapping", source=str(path), line=1, allowed="a rehearsal"),))
    reading = read(document, Scenario, problems_of)
    found.add(problem for _, problem in reading.problems)
    rollouts, policies = _manifests(document, found)
    _examine(rollouts, policies, found)
    layout = _layout(rollouts, document)
    scenario = reading.value
    if scenario is not None and layout is not None:
        found.add(problems_with(scenario, layout))
    if found.problems or scenario is None or layout is None:
        ordered = sorted(dict.fromkeys(found.problems), key=lambda p: (p.source != str(path), p.source, p.line))
        raise ConfigurationError(tuple(ordered))
    rollout, others = rollouts[0].value, tuple(policy.value for policy in policies)
    return Rehearsal(scenario, rollout, others, layout, _bounds(scenario, rollout, others))


def _only_document(path: Path) -> Manifest:
    manifests = manifests_in(text_of(path), source=str(path))
    if len(manifests) != 1:
        given = f"{len(manifests)} documents"
        raise ConfigurationError((Problem("", "must have one document", given, "one", str(path), 1),))
    return manifests[0]


def _manifests(document: Mapping[str, object], found: _Found) -> tuple[list[Document], list[Document]]:
    """Return the Rollouts (one, if all is well) and the policies that the file gives."""
    given = [("rollout", document.get("rollout"))]
    policies = document.get("policies")
    given += [
        (f"policies[{index}]", entry) for index, entry in enumerate(policies if isinstance(policies, list) else ())
    ]
    everything: list[Document] = []
    for place, entry in given:
        if isinstance(entry, Mapping | str):
            try:
                everything += documents_at(entry, place, manifest=found.manifest, path=found.path)
            except ConfigurationError as error:
                found.problems += error.problems
    rollouts = [made for made in everything if made.place.startswith("rollout") and made.kind not in POLICIES]
    if len(rollouts) != 1 and isinstance(document.get("rollout"), Mapping) and not found.problems:
        problem = Problem("rollout", "must be one Rollout", given=f"{len(rollouts)} of them", allowed="one Rollout")
        found.add([problem])
    return rollouts, [made for made in everything if made not in rollouts]


def _examine(rollouts: list[Document], policies: list[Document], found: _Found) -> None:
    """Note what is wrong with the manifests themselves."""
    for given in policies:
        found.problems += given.placed(examine_policy(given.value, built_in_policy()))
    for rollout in rollouts[:1]:
        policy = policy_of(rollout.value, [made.value for made in policies])
        found.problems += rollout.placed(_rollout_problems(rollout.value, policy))


def _rollout_problems(rollout: Mapping[str, object], policy: Mapping[str, object] | None) -> Iterator[Problem]:
    """Yield the Rollout's own problems; what a policy that is yet to come may bring is not missed."""
    awaited = policy is None and isinstance(spec := rollout.get("spec"), Mapping) and spec.get("policy") is not None
    for problem in examine(rollout, {"kind": "policy", "spec": {}} if awaited else policy, built_in_policy()).problems:
        may_come = awaited and (problem.source or (problem.field, problem.given) == ("spec.steps", "nothing"))
        if not may_come and not problem.source:
            yield problem


def _layout(rollouts: list[Document], document: Mapping[str, object]) -> Layout | None:
    """Return the layout, None where the manifest is too far from a Rollout to have one."""
    try:
        shape = Rollout.model_validate(cleaned(rollouts[0].value), by_alias=True, by_name=False)
    except (ValidationError, IndexError):
        return None
    backends = document.get("backends")
    foreign = {
        name: backend["foreignWeight"]
        for name, backend in (backends.items() if isinstance(backends, Mapping) else ())
        if isinstance(backend, Mapping) and isinstance(backend.get("foreignWeight"), int)
    }
    return layout_of(shape, foreign)


def _bounds(
    scenario: Scenario, rollout: Mapping[str, object], policies: tuple[Mapping[str, object], ...]
) -> tuple[float, ...]:
    """Return every bound that is looked at, before and after each edit of the manifest."""
    seen = set(_bounds_of(rollout, policies))
    known = list(policies)
    for event in scenario.events:
        known += [event.policy] if event.policy is not None else []
        rollout = over(rollout, {"spec": event.spec}) if event.spec is not None else rollout
        if event.policy is not None or event.spec is not None:
            seen |= _bounds_of(rollout, tuple(known))
    return tuple(sorted(seen))


def _bounds_of(rollout: Mapping[str, object], policies: tuple[Mapping[str, object], ...]) -> set[float]:
    examined = examine(rollout, policy_of(rollout, policies), built_in_policy()).rollout
    checks = examined.spec.analysis.checks if examined is not None else ()
    return {bound for check in checks if isinstance(check, SlowerThanCheck) for bound in check.bounds}

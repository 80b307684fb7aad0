"""Reading documents of any shape."""

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rollout.spec.built_in import built_in_policy
from rollout.spec.merge import examine
from rollout.spec.reading import MOST_AT_ONCE, location_of, read
from rollout.spec.resource import Rollout
from tests.spec.builders import Document, policy_document, rollout_document

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["Errors", "5%", "1m"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.sampled_from(["kind", "name"]), inner)
    ),
    max_leaves=6,
)
CHECKS = [
    {"name": "errors", "kind": "Errors", "tolerance": {"ratio": 1.2}},
    {"name": "slow", "kind": "SlowerThan", "bounds": ["250ms"]},
    {"name": "queue", "kind": "Query", "query": "up", "failAbove": 3},
]
WHOLE = rollout_document(
    analysis={"checks": CHECKS, "onNoData": {"hold": "5m", "then": "Abort"}},
    hooks={"beforeStart": [{"name": "ci", "url": "https://ci.example"}]},
    notify=[{"sink": "team", "on": ["Promoted"]}],
)
POLICY = policy_document(
    steps=[{"weight": 5, "hold": "1m"}],
    analysis={"checks": CHECKS},
    metrics={
        "backendLabels": {"service": "{{ backend.name }}"},
        "errors": {"total": "all", "bad": ["bad"]},
        "latency": {"buckets": "x_bucket"},
    },
)


def places(node: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the location of everything in a document."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [here, *(place for key, item in items for place in places(item, (*here, key)))]


def changed(document: Document, place: tuple[str | int, ...], value: object) -> Document:
    """Return `document` with `value` at `place`."""
    copy = deepcopy(document)
    node: Any = copy
    for part in place[:-1]:
        node = node[part]
    node[place[-1]] = value
    return copy


@given(st.data())
def test_any_change_is_accepted_or_told(data: st.DataObject) -> None:
    """Whatever stands at any two places of two documents, the answer is a Rollout or a list of problems."""
    rollout, policy = WHOLE, POLICY
    for _ in range(2):
        rollout = changed(rollout, data.draw(st.sampled_from(places(rollout)[1:])), data.draw(anything))
        policy = changed(policy, data.draw(st.sampled_from(places(policy)[1:])), data.draw(anything))
    examined = examine(rollout, policy, built_in_policy())

    assert (examined.rollout is None) == bool(examined.problems)
    assert all(problem.message and problem.given and problem.allowed for problem in examined.problems)


def test_indexes_are_those_of_the_document() -> None:
    """A rule that is broken behind a list entry that was cut is told with its own index."""
    steps = [5, {"weight": 5}, {"weight": 50, "gates": [{"name": "a", "url": "https://x"}] * 2}]
    problems = read(rollout_document(steps=steps), Rollout, lambda _: ()).problems
    examined = examine(rollout_document(steps=steps), None, built_in_policy())

    assert [place for place, _ in problems] == [("spec", "steps", 0)]
    assert [problem.field for problem in examined.problems] == ["spec.steps[0]", "spec.steps[2].gates[1].name"]


def test_a_path_is_read_back() -> None:
    """A path names the location that it was written from."""
    assert location_of("spec.steps[1].gates[0].url") == ("spec", "steps", 1, "gates", 0, "url")


def test_of_very_many_problems_the_first_are_told() -> None:
    """A document with thousands of problems is refused soon, with as many of them as somebody would read."""
    steps = [{"weight": 300, "colour": number} for number in range(5000)]
    examined = examine(rollout_document(steps=steps), None, built_in_policy())

    assert examined.rollout is None
    assert len(examined.problems) == MOST_AT_ONCE

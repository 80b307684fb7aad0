"""Facts about measurements beside the passes: what is asked, and what a failure becomes."""

import pytest

from rollout.analysis.judge import begin_attempt
from rollout.analysis.samples import ERRORS, Batch, Family, Series
from rollout.controller import measure
from rollout.controller.catalog import Abilities, Catalog
from rollout.controller.entry import Entry
from rollout.engine.state import State
from rollout.errors import PermanentError, SourceTimeout, Unavailable
from rollout.ports import Ask, StoredRollout
from rollout.spec.built_in import built_in_policy
from rollout.spec.resource import Rollout
from tests.controller.builders import KEY, NOW, V1, V2, backend, manifest
from tests.fakes.measurements import FakeMeasurements
from tests.fakes.store import FakeStore

STATE = State(stable=V1, canary=V2, judge=begin_attempt(NOW))
CHECKS: list[object] = [
    {"name": "errors", "kind": "Errors"},
    {"name": "slow", "kind": "SlowerThan", "bounds": ["250ms", "500ms"]},
    {"name": "slower", "kind": "SlowerThan", "bounds": ["500ms"]},
    {"name": "queue", "kind": "Query", "query": 'q{b="{{ backend.name }}",p="{{ backend.port }}"}', "failAbove": 1},
]


def _rollout(**spec: object) -> Rollout:
    stored = StoredRollout(KEY, manifest(**spec), {}, "1", 1)
    rollout = Catalog(FakeStore(), built_in_policy(), Abilities()).resolve(stored, None).rollout
    assert rollout is not None
    return rollout


def _ask(checks: list[object] | None = None, state: State = STATE) -> Ask:
    return measure.ask_for(_rollout(analysis={"checks": CHECKS if checks is None else checks}), state, {})


def test_the_backends_are_asked_for_by_role() -> None:
    """After a promotion the second backend is stable, and the question follows the roles."""
    ask = _ask(state=State(stable=V2, canary=V1, judge=begin_attempt(NOW)))

    assert (ask.stable, ask.canary) == (backend(V2), backend(V1))


def test_every_bound_is_asked_for_once() -> None:
    """Two checks with the same bound need it once."""
    assert _ask().bounds == (0.25, 0.5)


def test_errors_are_asked_for_when_a_check_needs_them() -> None:
    """A Rollout that judges latency alone asks for no errors."""
    assert (_ask().errors, _ask(CHECKS[1:]).errors) == (True, False)


def test_placeholders_of_queries_are_filled_with_the_canary() -> None:
    """A query is put with the names of the canary; a port that is not given is empty."""
    assert _ask().queries == (("queue", f'q{{b="{V2}",p=""}}'),)


def test_samples_are_wanted_since_the_attempt_began() -> None:
    """The first question of an attempt reaches back to its start; without one it asks for all."""
    assert _ask().since == NOW
    assert _ask(state=State(stable=V1, canary=V2)).since == 0


async def _measured(error: Exception | None) -> Entry:
    entry, source = Entry(KEY), FakeMeasurements()
    source.error = error
    await measure.measure(source, entry, _ask())
    return entry


async def test_an_answer_is_left_in_the_entry() -> None:
    """A batch and the question that it answers are kept for the next pass."""
    entry = await _measured(None)

    assert entry.batch is not None
    assert (entry.source_problem, entry.ask) == (None, _ask())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SourceTimeout("no answer within 5 s"), "SourceSlow"),
        (Unavailable("connection refused"), "SourceDown"),
        (PermanentError("the query is refused"), "SourceDown"),
    ],
)
async def test_an_error_becomes_a_named_reason(error: Exception, reason: str) -> None:
    """A source that fails gives a reason and a sentence, and no batch."""
    entry = await _measured(error)

    assert (entry.source_problem, entry.batch) == ((reason, str(error)), None)


async def test_an_answer_ends_the_problem() -> None:
    """Once the source answers, its problem is forgotten."""
    entry = await _measured(Unavailable("down"))
    await measure.measure(FakeMeasurements(), entry, _ask())

    assert entry.source_problem is None


def _batch(newest: float) -> Batch:
    series = Series("total", "i", "", ((newest - 10, 1.0), (newest, 2.0)))
    return Batch({(V1, ERRORS): Family((series,), ())})


def test_the_next_look_is_just_after_the_next_sample() -> None:
    """With a sample 4 s old and one each 10 s, the next look is in a little more than 6 s."""
    assert measure.next_look_after(_batch(NOW - 4), NOW, 10) == pytest.approx(6.2)


def test_a_sample_that_is_nearly_due_is_not_asked_for_twice_in_a_hurry() -> None:
    """With the next sample due in a second, the look waits for the one after it, or for a whole cadence."""
    assert measure.next_look_after(_batch(NOW - 9), NOW, 10) >= 10


@pytest.mark.parametrize("age", [-5.0, 25.0, 60.0, 1e6])
def test_samples_out_of_step_leave_the_cadence(age: float) -> None:
    """A sample from the future or long overdue does not hurry the next look: a dead source is not hammered."""
    assert measure.next_look_after(_batch(NOW - age), NOW, 10) == 10


@pytest.mark.parametrize("batch", [None, Batch()])
def test_without_samples_the_next_look_is_one_cadence_away(batch: Batch | None) -> None:
    """Where nothing came there is nothing to go by but the cadence."""
    assert measure.next_look_after(batch, NOW, 10) == pytest.approx(10, abs=0.3)

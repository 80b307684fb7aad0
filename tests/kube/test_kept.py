"""What stays in memory of a Rollout, and how it is shown."""

import json

import pytest

from rollout.engine.observation import Command
from rollout.kube.kept import LAST_APPLIED, handled_ids, kept_policy, kept_rollout, manifest, stored
from rollout.kube.orders import COMMAND
from rollout.kube.resources import POLICIES
from tests.kube.objects import WRITTEN_AT, annotated, rollout_object, transition


def test_only_what_is_used_stays() -> None:
    """Others' fields, the whole of ``managedFields`` and kubectl's copy of the manifest are let go."""
    document = rollout_object(
        annotations={LAST_APPLIED: "x" * 1000, "team": "a"},
        managedFields=[{"manager": "kubectl", "time": "2026-11-21T10:00:00Z", "fieldsV1": {"f:spec": {}}}],
        ownerReferences=[{"name": "x"}],
        selfLink="/x",
        labels={"app": "shop"},
        finalizers=["rollout.dev/weights"],
    )
    kept = kept_rollout({**document, "apiVersion": "rollout.dev/v1alpha1", "kind": "Rollout", "extra": 1})

    assert set(kept) == {"metadata", "spec", "status"}
    assert kept["metadata"] == {
        "name": "checkout",
        "namespace": "shop",
        "uid": "u1",
        "resourceVersion": "7",
        "generation": 1,
        "finalizers": ["rollout.dev/weights"],
        "labels": {"app": "shop"},
        "annotations": {LAST_APPLIED: "", "team": "a"},
        "managedFields": [],
    }


def test_names_of_fields_are_kept_once() -> None:
    """Thousands of Rollouts have the same ones."""
    text = json.dumps(rollout_object(spec={"progress": {"a": [1]}}))
    first, second = (kept_rollout(json.loads(text)) for _ in range(2))

    assert next(iter(first["spec"])) is next(iter(second["spec"]))


def test_what_is_shown_is_what_somebody_wrote() -> None:
    """Labels and annotations are there; the command and kubectl's copy are none of a manifest's."""
    annotations = {COMMAND: '{"action":"pause"}', LAST_APPLIED: "x", "team": "a"}
    shown = stored(kept_rollout(rollout_object(annotations=annotations, labels={"app": "shop"})))

    assert shown.document == {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "checkout", "namespace": "shop", "labels": {"app": "shop"}, "annotations": {"team": "a"}},
        "spec": {"revision": "1"},
    }


def test_the_life_of_an_object_is_shown() -> None:
    """Which object it is, since when, and whether it is to go."""
    made, gone = "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"
    shown = stored(kept_rollout(rollout_object(creationTimestamp=made, deletionTimestamp=gone)))
    bare = stored(kept_rollout(rollout_object()))

    assert (shown.uid, shown.version, shown.generation, shown.created_at, shown.deleting) == (
        "u1",
        "7",
        1,
        WRITTEN_AT,
        True,
    )
    assert (bare.created_at, bare.deleting) == (0.0, False)


def test_a_command_says_which_field_manager_wrote_it() -> None:
    """Who and when are the API server's word."""
    shown = stored(kept_rollout(annotated('{"id":"c1","action":"pause"}')))

    by = "annotation, field manager kubectl-annotate"
    assert shown.command == Command("c1", "pause", at=WRITTEN_AT, by=by)


def test_a_command_that_was_handled_does_not_wait() -> None:
    """The annotation stays, for nobody has to take it away."""
    status = {"handledCommands": [{"id": "c0"}, {"id": "c1"}]}
    shown = stored(kept_rollout({**annotated('{"id":"c1","action":"pause"}'), "status": status}))

    assert shown.command is None


@pytest.mark.parametrize("told", [None, "", "yesterday", 7])
def test_a_time_that_is_none_is_not_known(told: str | None) -> None:
    """A command of unknown age is too old."""
    shown = stored(kept_rollout(annotated('{"action":"pause"}', at=told)))

    assert shown.command is not None
    assert shown.command.at == 0.0


@pytest.mark.parametrize(
    "handled", [None, "c1", [None, "c1", {"name": "c1"}, {"id": ["c1"]}], {"id": "c1"}, [{"id": 1}]]
)
def test_what_names_no_handled_commands_names_none(handled: object) -> None:
    """A status that others wrote is read as far as it goes."""
    assert handled_ids({"handledCommands": handled}) == set()


@pytest.mark.parametrize("status", [None, [], "gone", {}])
def test_a_status_that_is_none_is_empty(status: object) -> None:
    """As that of a new Rollout."""
    shown = stored(kept_rollout({**rollout_object(), "status": status}))

    assert shown.status == {}


@pytest.mark.parametrize("spec", [[1], "all", {"steps": 7, "fromTheFuture": {"a": [1]}}])
def test_a_spec_that_nobody_can_read_is_shown_as_it_is(spec: object) -> None:
    """What is wrong with it is found, and said, where it is read."""
    assert stored(kept_rollout(rollout_object(spec=spec))).document["spec"] == spec


def test_the_sequences_of_transitions_are_the_journals() -> None:
    """What is shown is what was recorded; equal transitions that are remembered stand in place of new ones."""
    known = [transition(1), transition(2)]
    document = rollout_object(status={"phase": "Idle", "transitions": [transition(1, sequence=64), transition(2)]})
    plain = kept_rollout(document)
    shared = kept_rollout(document, lambda _told: known)

    assert plain["status"] == {"phase": "Idle", "transitions": known}
    assert shared["status"]["transitions"][0] is known[0]


def test_a_policy_is_shown_as_somebody_wrote_it() -> None:
    """It has no status."""
    kept = kept_policy({**rollout_object("own"), "status": {"a": 1}})

    assert manifest(kept, POLICIES) == {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": "own", "namespace": "shop"},
        "spec": {"revision": "1"},
    }

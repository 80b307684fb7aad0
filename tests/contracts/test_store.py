"""What every ``RolloutStore`` that keeps its own manifests does: the fake, and the SQLite file."""

import asyncio

import pytest

from rollout.engine.observation import Command
from rollout.errors import ConfigurationError, ConflictError, NotOursError, PermanentError
from rollout.ports import Key, RolloutStore
from rollout.spec.resource import PolicyRef
from tests.contracts.builders import policy_document, rollout_document, status, transition
from tests.contracts.stores import ABORT, CHECKOUT, PAUSE, Store, heard, there


async def test_it_is_a_rollout_store(store: Store) -> None:
    """The type checker agrees that it implements the port, and it begins empty."""
    port: RolloutStore = store

    assert list(port.keys()) == []
    assert port.read(CHECKOUT) is None


async def test_a_new_rollout_has_generation_one_and_no_status(store: Store) -> None:
    """A manifest that is applied first is a Rollout without status, command or samples."""
    key = await store.apply(rollout_document(revision="1"), "shop.yaml")
    found = there(store)

    assert key == CHECKOUT
    assert list(store.keys()) == [CHECKOUT]
    assert found.document == rollout_document(revision="1")
    assert (found.status, found.command, found.samples, found.deleting) == ({}, None, {}, False)
    assert found.generation == 1
    assert store.sources() == {CHECKOUT: "shop.yaml"}


async def test_the_namespace_is_default_when_none_is_given(store: Store) -> None:
    """A manifest without namespace lies in ``default``."""
    document = rollout_document() | {"metadata": {"name": "checkout"}}

    assert await store.apply(document) == Key("default", "checkout")


@pytest.mark.parametrize("metadata", [None, {}, {"name": 7}, {"name": ""}, {"name": "a", "namespace": ["b"]}])
async def test_a_manifest_without_usable_name_is_refused(store: Store, metadata: object) -> None:
    """Who the Rollout is must be said in letters."""
    with pytest.raises(ConfigurationError, match=r"metadata\.name(space)?: "):
        await store.apply(rollout_document() | {"metadata": metadata})


async def test_another_kind_is_refused(store: Store) -> None:
    """A Deployment is not a Rollout, and a Rollout is not a policy."""
    with pytest.raises(ConfigurationError, match="kind"):
        await store.apply(rollout_document() | {"kind": "Deployment"})
    with pytest.raises(ConfigurationError, match="kind"):
        await store.apply_policy(rollout_document())


async def test_the_same_manifest_again_changes_nothing(store: Store) -> None:
    """Applying what is there already tells nobody and keeps the version."""
    await store.apply(rollout_document(revision="1"))
    before, told = there(store), heard(store)
    await store.apply(rollout_document(revision="1") | {"status": {"phase": "Idle"}})

    assert there(store) == before
    assert told == []


@pytest.mark.parametrize(
    "changed",
    [
        rollout_document(revision="2"),
        rollout_document(revision="1") | {"apiVersion": "rollout.dev/v2"},
        rollout_document(revision="1")
        | {"metadata": {"name": "checkout", "namespace": "shop", "labels": {"team": "a"}}},
        rollout_document(revision="1")
        | {"metadata": {"name": "checkout", "namespace": "shop", "annotations": {"a": "b"}}},
    ],
)
async def test_a_changed_manifest_counts_the_generation_up(store: Store, changed: dict[str, object]) -> None:
    """What is wanted has a number; the status stays, the version changes, and it is told."""
    await store.apply(rollout_document(revision="1"))
    await store.record(CHECKOUT, status=status(1), expected=there(store).version)
    before, told = there(store), heard(store)
    await store.apply(changed)
    after = there(store)

    assert after.generation == 2
    assert after.version != before.version
    assert (after.document, after.status) == (changed, status(1))
    assert told == [CHECKOUT]


async def test_a_manifest_may_move_to_another_file(store: Store) -> None:
    """Where a manifest comes from can change while what is wanted does not."""
    await store.apply(rollout_document(), "old.yaml")
    await store.apply(rollout_document(), "new.yaml")

    assert store.sources() == {CHECKOUT: "new.yaml"}
    assert there(store).generation == 1


async def test_a_record_needs_the_version_that_was_read(store: Store) -> None:
    """A record with an outdated version changes nothing."""
    await store.apply(rollout_document())
    first = there(store).version
    second = await store.record(CHECKOUT, status=status(1), expected=first)
    with pytest.raises(ConflictError):
        await store.record(CHECKOUT, status=status(2), expected=first)

    assert second == there(store).version != first
    assert there(store).status == status(1)


async def test_of_two_records_at_once_one_wins(store: Store) -> None:
    """Two that read the same version cannot both write."""
    await store.apply(rollout_document())
    version = there(store).version
    tries = (store.record(CHECKOUT, status=status(number), expected=version) for number in (1, 2))
    results = await asyncio.gather(*tries, return_exceptions=True)

    assert [type(result) for result in results].count(ConflictError) == 1
    assert there(store).version in results


async def test_a_record_tells_nobody(store: Store) -> None:
    """A pass that records must not wake itself."""
    await store.apply(rollout_document())
    told = heard(store)
    await store.record(CHECKOUT, status=status(1), expected=there(store).version)

    assert told == []


async def test_a_rollout_that_is_gone_cannot_be_written(store: Store) -> None:
    """Every write to a Rollout that does not exist says so."""
    with pytest.raises(NotOursError):
        await store.record(CHECKOUT, status=status(1), expected="1")
    with pytest.raises(NotOursError):
        await store.checkpoint(CHECKOUT, judge={}, samples={})
    with pytest.raises(NotOursError):
        await store.remove(CHECKOUT)
    with pytest.raises(NotOursError):
        await store.command(CHECKOUT, PAUSE)
    with pytest.raises(NotOursError):
        await store.mark_deleting(CHECKOUT)


async def test_a_status_that_is_not_json_is_refused(store: Store) -> None:
    """What cannot be read back is not written."""
    await store.apply(rollout_document())
    before = there(store)
    with pytest.raises(PermanentError, match="JSON"):
        await store.record(CHECKOUT, status={"at": object()}, expected=before.version)

    assert there(store) == before


async def test_what_was_recorded_does_not_change_with_the_value_that_was_given(store: Store) -> None:
    """The store keeps its own copy."""
    await store.apply(rollout_document())
    given = status(1)
    await store.record(CHECKOUT, status=given, expected=there(store).version)
    given["transitions"] = []

    assert there(store).status == status(1)


async def test_a_command_waits_until_it_was_handled(store: Store) -> None:
    """A command changes the version, is told, and goes with the record that handles it."""
    await store.apply(rollout_document())
    before, told = there(store), heard(store)
    await store.command(CHECKOUT, PAUSE)
    waiting = there(store)
    await store.record(CHECKOUT, status=status(1), expected=waiting.version)
    still = there(store)
    await store.record(CHECKOUT, status=status(1, handled=("c0", "c1")), expected=still.version)

    assert waiting.command == PAUSE == still.command
    assert waiting.version != before.version
    assert waiting.generation == before.generation
    assert there(store).command is None
    assert told == [CHECKOUT]


async def test_a_record_that_read_before_the_command_came_is_a_conflict(store: Store) -> None:
    """No command is lost between a look and a record."""
    await store.apply(rollout_document())
    before = there(store)
    await store.command(CHECKOUT, PAUSE)
    with pytest.raises(ConflictError):
        await store.record(CHECKOUT, status=status(handled=("c1",)), expected=before.version)

    assert there(store).command == PAUSE


async def test_only_abort_replaces_a_command_that_waits(store: Store) -> None:
    """A second command is refused, an abort is not."""
    await store.apply(rollout_document())
    await store.command(CHECKOUT, PAUSE)
    before = there(store)
    with pytest.raises(ConflictError, match="pause"):
        await store.command(CHECKOUT, Command("c3", "resume"))
    refused = there(store)
    await store.command(CHECKOUT, ABORT)

    assert refused == before
    assert there(store).command == ABORT


async def test_transitions_are_kept_once_by_number(store: Store) -> None:
    """The status has the last ones, the history has all, newest first, page by page."""
    await store.apply(rollout_document())
    for numbers in ((1,), (1, 2), (2, 3), (3, 4, 5)):
        await store.record(CHECKOUT, status=status(*numbers), expected=there(store).version)

    assert list(await store.history(CHECKOUT)) == [transition(number) for number in (5, 4, 3, 2, 1)]
    assert list(await store.history(CHECKOUT, limit=2)) == [transition(5), transition(4)]
    assert list(await store.history(CHECKOUT, limit=2, before=4)) == [transition(3), transition(2)]
    assert list(await store.history(Key("shop", "other"))) == []


async def test_a_transition_is_never_rewritten(store: Store) -> None:
    """What was told first under a number stays."""
    await store.apply(rollout_document())
    await store.record(CHECKOUT, status=status(1), expected=there(store).version)
    other = {"transitions": [{"number": 1, "phase": "Aborted"}]}
    await store.record(CHECKOUT, status=other, expected=there(store).version)

    assert list(await store.history(CHECKOUT)) == [transition(1)]


async def test_history_is_trimmed_to_the_newest(store: Store) -> None:
    """Of each Rollout the newest ones stay; how many went is said."""
    for name in ("checkout", "search"):
        key = await store.apply(rollout_document(name))
        await store.record(key, status=status(1, 2, 3), expected=there(store, key).version)

    assert await store.trim_history(2) == 2
    assert list(await store.history(CHECKOUT)) == [transition(3), transition(2)]
    assert await store.trim_history(2) == 0


async def test_a_finished_rollout_is_removed_and_can_come_again(store: Store) -> None:
    """Deletion is asked for, then done; a Rollout of the same name begins anew, with a history of its own."""
    await store.apply(rollout_document(), "a.yaml")
    await store.record(CHECKOUT, status=status(1, 2), expected=there(store).version)
    told = heard(store)
    await store.mark_deleting(CHECKOUT)
    deleting = there(store)
    sources = store.sources()
    await store.remove(CHECKOUT)
    gone, past = store.read(CHECKOUT), await store.history(CHECKOUT)
    await store.apply(rollout_document())
    await store.record(CHECKOUT, status=status(1), expected=there(store).version)

    assert deleting.deleting
    assert sources == {}
    assert gone is None
    assert list(past) == [transition(2), transition(1)]
    assert list(await store.history(CHECKOUT)) == [transition(1)]
    assert there(store).version != deleting.version
    assert told == [CHECKOUT, CHECKOUT, CHECKOUT]


async def test_marking_a_second_time_changes_nothing(store: Store) -> None:
    """Deletion is asked for once."""
    await store.apply(rollout_document())
    await store.mark_deleting(CHECKOUT)
    before = there(store)
    await store.mark_deleting(CHECKOUT)

    assert there(store) == before


async def test_a_manifest_that_comes_back_takes_the_deletion_back(store: Store) -> None:
    """The same manifest again, before the Rollout was finished, keeps it."""
    await store.apply(rollout_document(), "a.yaml")
    await store.mark_deleting(CHECKOUT)
    await store.apply(rollout_document(), "a.yaml")

    assert not there(store).deleting
    assert there(store).generation == 2
    assert store.sources() == {CHECKOUT: "a.yaml"}


async def test_a_checkpoint_carries_the_judge_further_without_a_new_version(store: Store) -> None:
    """The newer state of the judge is in the status, the samples beside it; the version stays."""
    await store.apply(rollout_document())
    recorded = {"beganAt": 10.0, "lastTickAt": 20.0}
    await store.record(CHECKOUT, status=status(1, judge=recorded), expected=there(store).version)
    before = there(store)
    newer = {"beganAt": 10.0, "lastTickAt": 21.0}
    await store.checkpoint(CHECKOUT, judge=newer, samples={"v1": [1, 2]})
    after = there(store)

    assert after.status == status(1, judge=newer)
    assert after.samples == {"v1": [1, 2]}
    assert after.version == before.version


@pytest.mark.parametrize(
    "judge",
    [
        {"beganAt": 10.0, "lastTickAt": 19.0},
        {"beganAt": 10.0, "lastTickAt": None},
        {"beganAt": 9.0, "lastTickAt": 30.0},
    ],
)
async def test_an_older_or_foreign_judge_does_not_replace_the_recorded_one(
    store: Store, judge: dict[str, object]
) -> None:
    """A checkpoint of another attempt, or of an earlier tick, leaves the status as it is."""
    await store.apply(rollout_document())
    recorded = {"beganAt": 10.0, "lastTickAt": 20.0}
    await store.record(CHECKOUT, status=status(1, judge=recorded), expected=there(store).version)
    await store.checkpoint(CHECKOUT, judge=judge, samples={"v1": []})

    assert there(store).status == status(1, judge=recorded)
    assert there(store).samples == {"v1": []}


async def test_a_checkpoint_without_a_recorded_attempt_leaves_the_status(store: Store) -> None:
    """No judge in the status means that no attempt runs."""
    await store.apply(rollout_document())
    await store.checkpoint(CHECKOUT, judge={"beganAt": 1.0, "lastTickAt": 2.0}, samples={})

    assert there(store).status == {}


async def test_a_policy_is_found_by_kind_namespace_and_name(store: Store) -> None:
    """A policy for all is found from everywhere, one of a namespace only there."""
    await store.apply_policy(policy_document("envoy"))
    await store.apply_policy(policy_document("own", kind="RolloutPolicy"))
    for_all, own = (
        PolicyRef(kind="ClusterRolloutPolicy", name="envoy"),
        PolicyRef(kind="RolloutPolicy", name="own"),
    )

    assert store.policy(for_all, "shop") == store.policy(for_all, "mail") == policy_document("envoy")
    assert store.policy(own, "shop") == policy_document("own", kind="RolloutPolicy")
    assert store.policy(own, "mail") is None


async def test_a_changed_policy_is_told_to_those_who_use_it(store: Store) -> None:
    """A policy that comes, changes or goes wakes its Rollouts and nobody else; the same one again wakes nobody."""
    await store.apply(rollout_document("checkout", policy={"kind": "ClusterRolloutPolicy", "name": "envoy"}))
    await store.apply(rollout_document("search", policy={"kind": "RolloutPolicy", "name": "envoy"}))
    await store.apply(rollout_document("mail", policy="nonsense"))
    told = heard(store)
    await store.apply_policy(policy_document("envoy"), "p.yaml")
    await store.apply_policy(policy_document("envoy"), "p.yaml")
    sources = store.policy_sources()
    await store.apply_policy(policy_document("envoy", analysis={}), "p.yaml")
    await store.remove_policy("ClusterRolloutPolicy", "", "envoy")

    assert told == [CHECKOUT] * 3
    assert sources == {("ClusterRolloutPolicy", "", "envoy"): "p.yaml"}
    assert store.policy_sources() == {}
    assert store.policy(PolicyRef(kind="ClusterRolloutPolicy", name="envoy"), "shop") is None


async def test_a_rollout_that_was_applied_again_is_not_removed(store: Store) -> None:
    """The deletion was taken back while the controller finished it: what was applied stays."""
    await store.apply(rollout_document("checkout"))
    await store.mark_deleting(CHECKOUT)
    await store.apply(rollout_document("checkout"))

    with pytest.raises(ConflictError, match="not being deleted"):
        await store.remove(CHECKOUT)
    assert store.read(CHECKOUT) is not None

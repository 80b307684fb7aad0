"""What every ``RolloutStore`` does: the fake, the SQLite file, and a real API server."""

import asyncio

import pytest

from rollout.engine.observation import Command
from rollout.errors import ConfigurationError, ConflictError, NotOursError, PermanentError
from rollout.ports import Key, RolloutStore
from rollout.spec.resource import PolicyRef
from tests.contracts.builders import policy_document, rollout_document, status, transition
from tests.contracts.stores import ABORT, CHECKOUT, PAUSE, Store, all_recorded, heard, record, there


async def test_it_is_a_rollout_store(store: Store) -> None:
    """The type checker agrees that it implements the port, and it begins empty."""
    port: RolloutStore = store

    assert list(port.keys()) == []
    assert port.read(CHECKOUT) is None


async def test_a_new_rollout_has_generation_one_and_no_status(store: Store) -> None:
    """A manifest that is applied first is a Rollout without status, command or samples."""
    key = await store.apply(rollout_document(revision="1"))
    found = there(store)

    assert key == CHECKOUT
    assert list(store.keys()) == [CHECKOUT]
    assert found.document == rollout_document(revision="1")
    assert (found.status, found.command, found.samples, found.deleting) == ({}, None, {}, False)
    assert found.generation == 1


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


async def test_a_changed_manifest_counts_the_generation_up(store: Store) -> None:
    """What is wanted has a number; the status stays, the version changes, and it is told."""
    changed = rollout_document(revision="2")
    await store.apply(rollout_document(revision="1"))
    await store.record(CHECKOUT, status=status(1), expected=there(store).version)
    before, told = there(store), heard(store)
    await store.apply(changed)
    after = there(store)

    assert after.generation == 2
    assert after.version != before.version
    assert (after.document, after.status) == (changed, status(1))
    assert told == [CHECKOUT]


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
    await all_recorded(store, 1)
    other = {"transitions": [{"number": 1, "phase": "Aborted"}]}
    await store.record(CHECKOUT, status=other, expected=there(store).version)

    assert list(await store.history(CHECKOUT)) == [transition(1)]


async def test_a_finished_rollout_is_removed_and_can_come_again(store: Store) -> None:
    """Deletion is asked for, then done; a Rollout of the same name begins anew, with a history of its own."""
    await store.apply(rollout_document())
    await store.record(CHECKOUT, status=status(1, 2), expected=there(store).version)
    told = heard(store)
    await store.mark_deleting(CHECKOUT)
    deleting = there(store)
    await store.remove(CHECKOUT)
    gone, past = store.read(CHECKOUT), await store.history(CHECKOUT)
    await store.apply(rollout_document())
    await store.record(CHECKOUT, status=status(1), expected=there(store).version)

    assert deleting.deleting
    assert gone is None
    assert list(past) == [transition(2), transition(1)]
    assert list(await store.history(CHECKOUT)) == [transition(1)]
    assert there(store).version != deleting.version
    assert told == [CHECKOUT, CHECKOUT, CHECKOUT]


async def test_marking_a_second_time_changes_nothing(store: Store) -> None:
    """Deletion is asked for once."""
    await record(store, CHECKOUT, 1)
    await store.mark_deleting(CHECKOUT)
    before = there(store)
    await store.mark_deleting(CHECKOUT)

    assert there(store) == before


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
    told = heard(store)
    await store.apply_policy(policy_document("envoy"))
    await store.apply_policy(policy_document("envoy"))
    await store.apply_policy(policy_document("envoy", analysis={}))
    await store.remove_policy("ClusterRolloutPolicy", "", "envoy")

    assert told == [CHECKOUT] * 3
    assert store.policy(PolicyRef(kind="ClusterRolloutPolicy", name="envoy"), "shop") is None


async def test_a_rollout_that_nobody_deletes_is_not_removed(store: Store) -> None:
    """What was taken away could not be brought back."""
    await record(store, CHECKOUT, 1)
    with pytest.raises(ConflictError, match="not being deleted"):
        await store.remove(CHECKOUT)

    assert there(store).status == status(1)

"""What every ``IntentStore`` does: the fake, the SQLite file, and a real API server."""

import asyncio

import pytest

from rollout.engine.observation import Command
from rollout.errors import ConflictError, NotOursError
from rollout.ports import IntentStore
from tests.contracts.builders import policy_document, rollout_document, status
from tests.contracts.stores import ABORT, CHECKOUT, PAUSE, Store, heard, record, there

ENVOY = ("ClusterRolloutPolicy", "", "envoy")


async def test_it_is_an_intent_store(store: Store) -> None:
    """The type checker agrees that it implements the port, and nothing has a source at first."""
    port: IntentStore = store

    assert port.source_of(CHECKOUT) == port.source_of_policy(ENVOY) == ""
    assert dict(port.policies()) == {}


async def test_what_came_from_no_file_has_no_source(store: Store) -> None:
    """Nobody but whoever applied it speaks for it."""
    await store.apply(rollout_document())
    await store.apply_policy(policy_document())

    assert store.source_of(CHECKOUT) == store.source_of_policy(ENVOY) == ""


async def test_policies_are_listed(store: Store) -> None:
    """Kind, namespace and name lead to the document."""
    own = ("RolloutPolicy", "shop", "envoy")
    await store.apply_policy(policy_document())
    await store.apply_policy(policy_document(kind="RolloutPolicy"))
    listed = store.policies()
    await store.remove_policy(*ENVOY)

    assert listed == {ENVOY: policy_document(), own: policy_document(kind="RolloutPolicy")}
    assert list(store.policies()) == [own]


async def test_an_apply_with_the_version_that_is_there_changes_it(store: Store) -> None:
    """Who has seen the last version may change it; without a version everybody may."""
    await store.apply(rollout_document(), expected="")
    await store.apply(rollout_document(revision="2"), expected=there(store).version)
    await store.apply(rollout_document(revision="3"), expected=None)

    assert there(store).generation == 3


async def test_an_apply_with_an_outdated_version_is_a_conflict(store: Store) -> None:
    """It changes nothing and tells nobody, also when what it wants is there already."""
    await store.apply(rollout_document())
    first = there(store).version
    await store.record(CHECKOUT, status=status(1), expected=first)
    before, told = there(store), heard(store)
    for document in (rollout_document(), rollout_document(revision="2")):
        with pytest.raises(ConflictError, match="shop/checkout"):
            await store.apply(document, expected=first)

    assert there(store) == before
    assert told == []


async def test_an_apply_that_must_make_it_is_a_conflict_when_it_exists(store: Store) -> None:
    """A Rollout that is being deleted still exists."""
    await record(store, CHECKOUT, 1)
    with pytest.raises(ConflictError, match="shop/checkout"):
        await store.apply(rollout_document(), expected="")
    await store.mark_deleting(CHECKOUT)
    with pytest.raises(ConflictError, match="shop/checkout"):
        await store.apply(rollout_document(), expected="")
    still_deleting = there(store).deleting
    await store.remove(CHECKOUT)
    await store.apply(rollout_document(), expected="")

    assert still_deleting
    assert there(store).generation == 1


async def test_an_apply_that_must_change_it_is_a_conflict_when_it_is_gone(store: Store) -> None:
    """A version that was seen cannot be that of a Rollout that does not exist."""
    with pytest.raises(ConflictError, match="shop/checkout"):
        await store.apply(rollout_document(), expected="1")

    assert store.read(CHECKOUT) is None


async def test_of_two_that_make_it_at_once_one_wins(store: Store) -> None:
    """The comparison and the write are one."""
    tries = (store.apply(rollout_document(revision=name), expected="") for name in ("1", "2"))
    results = await asyncio.gather(*tries, return_exceptions=True)

    assert sorted(type(result).__name__ for result in results) == ["ConflictError", "Key"]
    assert there(store).generation == 1


async def test_a_command_that_waits_changes_nothing_when_it_comes_again(store: Store) -> None:
    """The same id is the same command, whatever else is in it, and nobody is told twice."""
    await store.apply(rollout_document())
    await store.command(CHECKOUT, PAUSE)
    before, told = there(store), heard(store)
    await store.command(CHECKOUT, Command(PAUSE.id, "abort", at=99.0))

    assert there(store) == before
    assert told == []


async def test_a_command_that_was_handled_changes_nothing_when_it_comes_again(store: Store) -> None:
    """Nobody is paused twice, also while another command waits."""
    await store.apply(rollout_document())
    await store.record(CHECKOUT, status=status(1, handled=("c0", "c1")), expected=there(store).version)
    idle, told = there(store), heard(store)
    await store.command(CHECKOUT, PAUSE)
    unchanged = there(store)
    await store.command(CHECKOUT, ABORT)
    await store.command(CHECKOUT, PAUSE)

    assert unchanged == idle
    assert there(store).command == ABORT
    assert told == [CHECKOUT]


async def test_a_known_command_to_a_rollout_that_is_gone_says_so(store: Store) -> None:
    """The handled commands go with the Rollout."""
    await store.apply(rollout_document())
    await store.record(CHECKOUT, status=status(handled=("c1",)), expected=there(store).version)
    await store.mark_deleting(CHECKOUT)
    await store.remove(CHECKOUT)
    with pytest.raises(NotOursError):
        await store.command(CHECKOUT, PAUSE)

"""What a store does that keeps manifests and history by itself: the fake, and the SQLite file.

A cluster does not. Its manifests come from no file and have no deletion that is taken back, labels and annotations are
no part of what is wanted there, transitions are trimmed by the status alone, and Prometheus can be asked again, so that
nothing has to be kept of the judge between two records.
"""

import pytest

from rollout.errors import ConflictError, NotOursError
from tests.contracts.builders import policy_document, rollout_document, status, transition
from tests.contracts.stores import CHECKOUT, SEARCH, OwnStore, followed, heard, record, there, told
from tests.fakes.clock import FakeClock

ENVOY = ("ClusterRolloutPolicy", "", "envoy")


async def test_the_files_that_speak_are_known(own_store: OwnStore) -> None:
    """Every Rollout has the file that it came from last."""
    await own_store.apply(rollout_document(), "shop.yaml")

    assert own_store.sources() == {CHECKOUT: "shop.yaml"}


async def test_the_file_that_speaks_for_a_rollout_is_known(own_store: OwnStore) -> None:
    """A file speaks until the Rollout is to go; for what came otherwise, none does."""
    await own_store.apply(rollout_document(), "shop.yaml")
    await own_store.apply(rollout_document("search"))
    spoken = own_store.source_of(CHECKOUT), own_store.source_of(SEARCH)
    await own_store.mark_deleting(CHECKOUT)

    assert spoken == ("shop.yaml", "")
    assert own_store.source_of(CHECKOUT) == ""
    assert own_store.sources() == {SEARCH: ""}


async def test_a_manifest_may_move_to_another_file(own_store: OwnStore) -> None:
    """Where a manifest comes from can change while what is wanted does not."""
    await own_store.apply(rollout_document(), "old.yaml")
    await own_store.apply(rollout_document(), "new.yaml")

    assert own_store.sources() == {CHECKOUT: "new.yaml"}
    assert there(own_store).generation == 1


async def test_an_apply_that_is_refused_leaves_the_file_that_speaks(own_store: OwnStore) -> None:
    """Who may not change a manifest may not speak for it either."""
    await own_store.apply(rollout_document(), "a.yaml")
    with pytest.raises(ConflictError):
        await own_store.apply(rollout_document(), "b.yaml", expected="")

    assert own_store.source_of(CHECKOUT) == "a.yaml"


async def test_policies_have_files_too(own_store: OwnStore) -> None:
    """The file that named a policy last speaks for it until the policy is gone."""
    await own_store.apply_policy(policy_document(), "old.yaml")
    await own_store.apply_policy(policy_document(), "p.yaml")
    spoken, sources = own_store.source_of_policy(ENVOY), own_store.policy_sources()
    await own_store.remove_policy(*ENVOY)

    assert (spoken, sources) == ("p.yaml", {ENVOY: "p.yaml"})
    assert (own_store.source_of_policy(ENVOY), own_store.policy_sources()) == ("", {})


async def test_a_rollout_whose_policy_cannot_be_read_hears_of_none(own_store: OwnStore) -> None:
    """Its fault is found when it is read; an API server would not have taken it."""
    await own_store.apply(rollout_document(policy="nonsense"))
    told = heard(own_store)
    await own_store.apply_policy(policy_document("nonsense"))

    assert told == []


@pytest.mark.parametrize(
    "changed",
    [
        rollout_document(revision="1") | {"apiVersion": "rollout.dev/v2"},
        rollout_document(revision="1")
        | {"metadata": {"name": "checkout", "namespace": "shop", "labels": {"team": "a"}}},
        rollout_document(revision="1")
        | {"metadata": {"name": "checkout", "namespace": "shop", "annotations": {"a": "b"}}},
    ],
)
async def test_everything_in_a_manifest_is_wanted(own_store: OwnStore, changed: dict[str, object]) -> None:
    """The generation counts every change of what somebody wrote."""
    await own_store.apply(rollout_document(revision="1"))
    await own_store.apply(changed)

    assert there(own_store).generation == 2
    assert there(own_store).document == changed


async def test_a_rollout_knows_when_it_was_made(own_store: OwnStore, clock: FakeClock) -> None:
    """A change, a record and a deletion that is taken back leave that time; a new life has its own."""
    made = clock.now()
    await own_store.apply(rollout_document())
    clock.advance(60)
    await own_store.apply(rollout_document(revision="2"))
    await own_store.record(CHECKOUT, status=status(1), expected=there(own_store).version)
    await own_store.mark_deleting(CHECKOUT)
    await own_store.apply(rollout_document())
    kept = there(own_store).created_at
    await own_store.mark_deleting(CHECKOUT)
    await own_store.remove(CHECKOUT)
    await own_store.apply(rollout_document())

    assert kept == made
    assert there(own_store).created_at == made + 60


async def test_a_manifest_that_comes_back_takes_the_deletion_back(own_store: OwnStore) -> None:
    """The same manifest again, before the Rollout was finished, keeps it."""
    await own_store.apply(rollout_document(), "a.yaml")
    await own_store.mark_deleting(CHECKOUT)
    await own_store.apply(rollout_document(), "a.yaml")

    assert not there(own_store).deleting
    assert there(own_store).generation == 2
    assert own_store.sources() == {CHECKOUT: "a.yaml"}


async def test_a_checkpoint_carries_the_judge_further_without_a_new_version(own_store: OwnStore) -> None:
    """The newer state of the judge is in the status, the samples beside it; the version stays."""
    await own_store.apply(rollout_document())
    recorded = {"beganAt": 10.0, "lastTickAt": 20.0}
    await own_store.record(CHECKOUT, status=status(1, judge=recorded), expected=there(own_store).version)
    before = there(own_store)
    newer = {"beganAt": 10.0, "lastTickAt": 21.0}
    await own_store.checkpoint(CHECKOUT, judge=newer, samples={"v1": [1, 2]})
    after = there(own_store)

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
    own_store: OwnStore, judge: dict[str, object]
) -> None:
    """A checkpoint of another attempt, or of an earlier tick, leaves the status as it is."""
    await own_store.apply(rollout_document())
    recorded = {"beganAt": 10.0, "lastTickAt": 20.0}
    await own_store.record(CHECKOUT, status=status(1, judge=recorded), expected=there(own_store).version)
    await own_store.checkpoint(CHECKOUT, judge=judge, samples={"v1": []})

    assert there(own_store).status == status(1, judge=recorded)
    assert there(own_store).samples == {"v1": []}


async def test_a_checkpoint_without_a_recorded_attempt_leaves_the_status(own_store: OwnStore) -> None:
    """No judge in the status means that no attempt runs."""
    await own_store.apply(rollout_document())
    await own_store.checkpoint(CHECKOUT, judge={"beganAt": 1.0, "lastTickAt": 2.0}, samples={})

    assert there(own_store).status == {}


async def test_a_checkpoint_of_a_rollout_that_is_gone_says_so(own_store: OwnStore) -> None:
    """There is nothing to keep it beside."""
    with pytest.raises(NotOursError):
        await own_store.checkpoint(CHECKOUT, judge={}, samples={})


async def test_history_is_trimmed_to_the_newest(own_store: OwnStore) -> None:
    """Of each Rollout the newest ones stay; how many went is said."""
    for name in ("checkout", "search"):
        key = await own_store.apply(rollout_document(name))
        await own_store.record(key, status=status(1, 2, 3), expected=there(own_store, key).version)

    assert await own_store.trim_history(2) == 2
    assert list(await own_store.history(CHECKOUT)) == [transition(3), transition(2)]
    assert await own_store.trim_history(2) == 0


async def test_a_rollout_that_was_applied_again_is_not_removed(own_store: OwnStore) -> None:
    """The deletion was taken back while the controller finished it: what was applied stays."""
    await own_store.apply(rollout_document("checkout"))
    await own_store.mark_deleting(CHECKOUT)
    await own_store.apply(rollout_document("checkout"))

    with pytest.raises(ConflictError, match="not being deleted"):
        await own_store.remove(CHECKOUT)
    assert own_store.read(CHECKOUT) is not None


async def test_a_store_of_our_own_counts_without_a_gap(own_store: OwnStore) -> None:
    """The numbers begin with 1, a record that is refused takes none, and one that is missing was trimmed."""
    await record(own_store, CHECKOUT, 1, 2)
    with pytest.raises(ConflictError):
        await own_store.record(CHECKOUT, status=status(1, 2, 3), expected="nothing")
    await record(own_store, SEARCH, 1)

    assert [one.sequence for one in await own_store.recorded(after=0)] == [1, 2, 3]
    assert not own_store.may_miss(after=1, before=2)
    assert own_store.may_miss(after=1, before=3)


async def test_a_sequence_never_comes_again(own_store: OwnStore) -> None:
    """Trimming, removal and a new life of the same name leave what was given."""
    await record(own_store, CHECKOUT, 1, 2, 3)
    await own_store.trim_history(1)
    after_trim = [told(one) for one in await own_store.recorded(after=0)]
    await own_store.mark_deleting(CHECKOUT)
    await own_store.remove(CHECKOUT)
    await record(own_store, CHECKOUT, 1)

    assert after_trim == [(3, "checkout", 3)]
    assert [told(one) for one in await own_store.recorded(after=0)] == [(3, "checkout", 3), (4, "checkout", 1)]
    assert list(await own_store.history(CHECKOUT)) == [transition(1)]


async def test_what_was_trimmed_does_not_come_again_with_the_next_record(own_store: OwnStore) -> None:
    """The status still has transitions that the journal gave away; one is kept, so that they are known."""
    await record(own_store, CHECKOUT, 1, 2, 3)
    heard = followed(own_store)
    gone = await own_store.trim_history(0)
    await record(own_store, CHECKOUT, 1, 2, 3, 4)

    assert gone == 2
    assert [told(one) for one in heard] == [(4, "checkout", 4)]
    assert list(await own_store.history(CHECKOUT)) == [transition(4), transition(3)]

"""The journal by what the stream tells: numbers that all replicas agree on, and what may be missing."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from rollout.kube import journal as module
from rollout.kube.journal import PLACES, KubeJournal
from rollout.ports import Key, Recorded
from tests.kube.objects import rollout_object, transition, with_transitions

CHECKOUT = Key("shop", "checkout")


@pytest.fixture
def statuses() -> dict[Key, Mapping[str, Any]]:
    """Return the statuses as they were written last."""
    return {}


@pytest.fixture
def journal(statuses: dict[Key, Mapping[str, Any]]) -> KubeJournal:
    """Return a journal that has heard nothing."""
    return KubeJournal(lambda key: statuses.get(key, {}))


def list_all(journal: KubeJournal, *documents: dict[str, Any], version: int = 100) -> None:
    """Tell a whole list."""
    page = {"metadata": {"resourceVersion": str(version)}}
    journal.hear("LISTING", page)
    for document in documents:
        journal.hear("LISTED", document)
    journal.hear("SYNCED", page)


def watch(journal: KubeJournal, *documents: dict[str, Any]) -> None:
    """Tell events of the watch."""
    for document in documents:
        journal.hear("MODIFIED", document)


async def numbered(journal: KubeJournal, *, after: int = 0) -> list[tuple[int, object]]:
    """Return sequences and the numbers of the transitions."""
    return [(one.sequence, one.transition["number"]) for one in await journal.recorded(after=after)]


def last_of(version: int) -> int:
    """Return the sequence of the last transition of a write."""
    return version * PLACES + PLACES - 1


async def test_the_number_is_that_of_the_write(journal: KubeJournal) -> None:
    """Counted from behind, so that one that is added to a write does not move those before."""
    list_all(journal)
    watch(journal, with_transitions(101, 1, 2), with_transitions(105, 1, 2, 3))

    assert await numbered(journal) == [(last_of(101) - 1, 1), (last_of(101), 2), (last_of(105), 3)]
    assert journal.last == last_of(105)


async def test_a_write_that_says_nothing_new_has_no_number(journal: KubeJournal) -> None:
    """A label, or the next status."""
    list_all(journal)
    watch(journal, with_transitions(101, 1), with_transitions(102, 1))

    assert await numbered(journal) == [(last_of(101), 1)]


async def test_who_starts_later_reads_the_numbers_in_the_status(journal: KubeJournal) -> None:
    """Those that a write carries along; the last one is taken for as young as the object."""
    carried = [transition(1, sequence=last_of(50)), transition(2, sequence=last_of(60)), transition(3)]
    list_all(journal, rollout_object(version=99, status={"transitions": carried}))

    assert await numbered(journal) == [(last_of(50), 1), (last_of(60), 2), (last_of(99), 3)]
    assert [one.transition for one in await journal.recorded(after=0)] == [transition(1), transition(2), transition(3)]


async def test_who_starts_later_reads_a_hundred_numbers(journal: KubeJournal) -> None:
    """A status in which transitions wait for a sink: none is left out, and the next write carries them all."""
    carried = [transition(number, sequence=last_of(number)) for number in range(1, 100)]
    list_all(journal, rollout_object(version=200, status={"transitions": [*carried, transition(100)]}))
    expected = {number: last_of(number) for number in range(1, 100)} | {100: last_of(200)}

    assert await numbered(journal) == [(sequence, number) for number, sequence in expected.items()]
    assert journal.sequences(CHECKOUT) == expected


async def test_a_hundred_transitions_of_one_write_have_numbers_of_their_own(journal: KubeJournal) -> None:
    """As when a status could not be written for long; none of them is that of the write before."""
    list_all(journal)
    watch(journal, with_transitions(101, 1), with_transitions(102, *range(1, 101)))
    found = await numbered(journal)

    assert [number for _, number in found] == list(range(1, 101))
    assert [sequence for sequence, _ in found] == [last_of(101), *range(last_of(102) - 98, last_of(102) + 1)]
    assert not journal.may_miss(after=last_of(101), before=last_of(102) - 98)


async def test_what_became_compact_stays_as_it_was_told(journal: KubeJournal) -> None:
    """The journal has a transition as it was seen first, the status in memory as it stands there."""
    list_all(journal, with_transitions(99, 1, 2))
    compact = [transition(1, phase="I"), transition(2)]
    watch(journal, rollout_object(version=101, status={"transitions": [*compact, transition(3)]}))
    shared: Any = journal.shared(CHECKOUT, compact)

    assert list(await journal.history(CHECKOUT)) == [transition(3), transition(2), transition(1)]
    assert shared[0] is compact[0]
    assert shared[1] is (await journal.recorded(after=0))[1].transition


async def test_the_next_write_carries_what_is_known(journal: KubeJournal) -> None:
    """By the transition's number."""
    list_all(journal, with_transitions(99, 1))
    watch(journal, with_transitions(101, 1, 2))

    assert journal.sequences(CHECKOUT) == {1: last_of(99), 2: last_of(101)}
    assert journal.sequences(Key("shop", "other")) == {}


@pytest.mark.parametrize("told", [0, -1, "7", None, True, last_of(10_000)])
async def test_a_number_that_cannot_be_is_not_believed(journal: KubeJournal, told: object) -> None:
    """Somebody wrote it by hand: none is younger than its object."""
    list_all(journal, rollout_object(version=99, status={"transitions": [transition(1, sequence=told)]}))

    assert 0 < journal.last <= last_of(99)


async def test_what_is_listed_is_told_in_order_of_its_numbers(journal: KubeJournal) -> None:
    """Whatever order the objects come in."""
    heard: list[Recorded] = []
    journal.follow(heard.append)
    list_all(journal, with_transitions(99, 1, name="a"), with_transitions(98, 1, name="b"))
    await asyncio.sleep(0)

    assert [one.key.name for one in heard] == ["b", "a"]


async def test_a_list_that_was_broken_off_is_told_with_the_next(journal: KubeJournal) -> None:
    """Nothing is told twice, and nothing before the order is known."""
    journal.hear("LISTING", {})
    journal.hear("LISTED", with_transitions(99, 1, name="a"))
    early = journal.last
    list_all(journal, with_transitions(99, 1, name="a"), with_transitions(98, 1, name="b"))

    assert early == 0
    assert [sequence for sequence, _ in await numbered(journal)] == [last_of(98), last_of(99)]


async def test_what_a_list_shows_to_be_gone_keeps_its_past(journal: KubeJournal) -> None:
    """As a deletion that the watch has told of."""
    list_all(journal, with_transitions(99, 1, 2))
    list_all(journal)

    assert list(await journal.history(CHECKOUT)) == [transition(2), transition(1)]
    assert journal.sequences(CHECKOUT) == {}


async def test_another_object_of_the_name_is_another_life(journal: KubeJournal) -> None:
    """Its transitions begin anew although nobody told of the deletion."""
    list_all(journal, with_transitions(99, 1, 2))
    watch(journal, with_transitions(110, 1, uid="u2"))

    assert await numbered(journal) == [(last_of(99) - 1, 1), (last_of(99), 2), (last_of(110), 1)]
    assert list(await journal.history(CHECKOUT)) == [transition(1)]
    assert journal.sequences(CHECKOUT) == {1: last_of(110)}


@pytest.mark.parametrize("lost", [rollout_object(version=101), with_transitions(101, 1)])
async def test_a_status_that_was_lost_or_restored_begins_another_life(
    journal: KubeJournal, lost: dict[str, Any]
) -> None:
    """Numbers that come again are new transitions."""
    list_all(journal, with_transitions(99, 1, 2))
    watch(journal, lost, with_transitions(102, 1, 2))
    told = await numbered(journal, after=last_of(99))

    assert [number for _, number in told] == [1, 2]
    assert list(await journal.history(CHECKOUT)) == [transition(2), transition(1)]


async def test_a_status_without_transitions_leaves_the_past_readable(journal: KubeJournal) -> None:
    """Until another life begins."""
    list_all(journal, with_transitions(99, 1))
    watch(journal, rollout_object(version=101))

    assert list(await journal.history(CHECKOUT)) == [transition(1)]


async def test_what_was_just_written_is_in_the_history_at_once(
    journal: KubeJournal, statuses: dict[Key, Mapping[str, Any]]
) -> None:
    """Also before the watch has told of it."""
    list_all(journal, with_transitions(99, 1))
    statuses[CHECKOUT] = {"transitions": [transition(1), transition(2)]}

    assert list(await journal.history(CHECKOUT)) == [transition(2), transition(1)]
    assert list(await journal.history(CHECKOUT, limit=-1)) == []


async def test_a_cluster_that_went_back_gives_no_number_twice(journal: KubeJournal) -> None:
    """Restored from a backup, it counts versions again that were given; readers go on from the last."""
    list_all(journal, with_transitions(99, 1))
    list_all(journal, with_transitions(50, 1, uid="u0"), version=50)

    assert await numbered(journal) == [(last_of(99), 1), (last_of(99) + 1, 1)]


class TestMissing:
    """What a gap between two numbers means."""

    async def test_gaps_are_the_rule(self, journal: KubeJournal) -> None:
        """All that was recorded is here, whatever numbers were left out."""
        list_all(journal)
        watch(journal, with_transitions(101, 1), with_transitions(900, 1, 2))

        assert not journal.may_miss(after=0, before=last_of(900))

    async def test_what_the_status_has_let_go_may_be_missed(self, journal: KubeJournal) -> None:
        """By those who were not beyond it."""
        list_all(journal, with_transitions(99, 21, 22))
        first = last_of(99) - 1

        assert journal.may_miss(after=0, before=first)
        assert not journal.may_miss(after=first - 1, before=first)
        assert not journal.may_miss(after=first, before=last_of(99))

    async def test_what_is_forgotten_may_be_missed(self, journal: KubeJournal, monkeypatch: pytest.MonkeyPatch) -> None:
        """A bounded part is remembered in order."""
        monkeypatch.setattr(module, "MOST_OF_ALL", 4)
        list_all(journal)
        watch(journal, *(with_transitions(101 + number, number) for number in range(1, 10)))
        there = await numbered(journal)

        assert [number for _, number in there] == [6, 7, 8, 9]
        assert journal.may_miss(after=0, before=there[0][0])
        assert not journal.may_miss(after=there[0][0] - 1, before=there[0][0])


async def test_the_gone_are_few(journal: KubeJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The past of the last that went stays."""
    monkeypatch.setattr(module, "MOST_GONE", 2)
    list_all(journal, *(with_transitions(90 + n, 1, name=f"r{n}") for n in range(4)))
    for n in range(4):
        journal.hear("DELETED", with_transitions(101 + n, 1, name=f"r{n}"))
    past = [list(await journal.history(Key("shop", f"r{n}"))) for n in range(4)]

    assert past == [[], [], [transition(1)], [transition(1)]]


async def test_one_that_never_did_anything_leaves_nothing(journal: KubeJournal) -> None:
    """Nothing is kept of it."""
    list_all(journal, rollout_object())
    journal.hear("DELETED", rollout_object(version=101))

    assert list(await journal.history(CHECKOUT)) == []


async def test_transitions_that_are_remembered_are_kept_once(journal: KubeJournal) -> None:
    """The status in memory shares them with the journal, but for one that somebody changed."""
    list_all(journal, with_transitions(99, 1, 2))
    (first, _) = [one.transition for one in await journal.recorded(after=0)]
    shared: Any = journal.shared(CHECKOUT, [transition(1, sequence=5), transition(2, phase="Idle"), "x"])

    assert shared[0] is first
    assert shared[1:] == [transition(2, phase="Idle"), "x"]
    assert journal.shared(Key("shop", "other"), "x") == journal.shared(CHECKOUT, "x") == "x"

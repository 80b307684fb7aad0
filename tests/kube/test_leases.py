"""Facts about Leases as documents, and about what was seen of them."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.kube.leases import (
    Claim,
    Names,
    Sighting,
    Sightings,
    holder_of,
    shards_of,
    timestamp,
)

HOUR = 3600.0
NOW = 1_800_000_000.0
OURS = Names()
CLAIM = Claim(OURS.shard(0), "me", 14.2, 8)


def lease(holder: object = "her", seconds: object = 15, *, version: str = "1", **spec: object) -> dict[str, Any]:
    """Return a Lease of shard 0."""
    told = {"holderIdentity": holder, "leaseDurationSeconds": seconds, **spec}
    return {"metadata": {"name": OURS.shard(0), "resourceVersion": version}, "spec": told}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("rollout-controller-0", 0),
        ("rollout-controller-63", 63),
        ("rollout-controller-", None),
        ("rollout-controller", None),
        ("rollout-controller-member-a", None),
        ("rollout-controller-1234", None),
        ("rollout-controller-²", None),
        ("another-3", None),
    ],
)
def test_the_name_says_which_shard(name: str, number: int | None) -> None:
    """Leases of others are in the same namespace."""
    assert OURS.number(name) == number


@pytest.mark.parametrize(
    ("watched", "name", "number"),
    [
        ("shop", "rollout-controller.shop.0", 0),
        ("shop", "rollout-controller.shop-1.0", None),
        ("shop", "rollout-controller.shop.member.0", None),
        ("shop", "rollout-controller-0", None),
        ("0", "rollout-controller.0.1", 1),
        ("member", "rollout-controller-member-0", None),
        ("", "rollout-controller.shop.0", None),
    ],
)
def test_those_that_watch_one_namespace_have_leases_of_their_own(watched: str, name: str, number: int | None) -> None:
    """Whatever the namespace is called, its Leases are nobody else's."""
    assert Names(watched).number(name) == number
    assert number is None or Names(watched).shard(number) == name


def test_members_of_services_for_other_namespaces_are_not_ours() -> None:
    """They have no share in our work."""
    names = [Names(watched) for watched in ("", "shop", "shop-member", "member")]
    owners = [[one.is_member(other.member("pod-1")) for one in names] for other in names]

    assert owners == [[one is other for one in names] for other in names]


@pytest.mark.parametrize(
    ("watched", "name", "overlaps"),
    [
        ("", "rollout-controller.shop.0", True),
        ("", "rollout-controller.shop.member.pod-1", False),
        ("", "rollout-controller-0", False),
        ("", "another-3", False),
        ("shop", "rollout-controller-0", True),
        ("shop", "rollout-controller-member-a", False),
        ("shop", "rollout-controller.bank.0", False),
        ("shop", "rollout-controller.shop.0", False),
    ],
)
def test_a_service_for_all_namespaces_watches_what_one_for_a_namespace_does(
    watched: str,
    name: str,
    overlaps: bool,  # noqa: FBT001 - a column
) -> None:
    """Both would act for the same Rollouts."""
    assert Names(watched).overlaps(name) is overlaps


def test_a_member_has_a_name_that_a_lease_may_have() -> None:
    """However long the name of the pod is."""
    assert OURS.member("pod-1") == "rollout-controller-member-pod-1"
    assert len(OURS.member("x" * 300)) == 253
    assert not OURS.member("x" * 226 + "-" * 30).endswith("-")


def test_a_new_lease_says_who_and_for_how_long() -> None:
    """In the words of Kubernetes; seconds are whole, rounded up."""
    made = CLAIM.taken(None, namespace="shop", now=NOW)

    assert made["metadata"] == {
        "name": "rollout-controller-0",
        "namespace": "shop",
        "labels": {"rollout.dev/lease": "shard"},
        "annotations": {"rollout.dev/shards": "8"},
    }
    assert made["spec"] == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "acquireTime": timestamp(NOW),
        "renewTime": timestamp(NOW),
        "leaseTransitions": 0,
    }


def test_a_change_of_the_holder_is_counted_and_a_renewal_is_not() -> None:
    """As ``kubectl get lease`` is read."""
    taken = CLAIM.taken(lease(leaseTransitions=4), namespace="shop", now=NOW)
    renewed = CLAIM.taken(taken, namespace="shop", now=NOW + 5)

    assert taken["spec"]["leaseTransitions"] == renewed["spec"]["leaseTransitions"] == 5
    assert renewed["spec"]["acquireTime"] == timestamp(NOW)
    assert renewed["spec"]["renewTime"] == timestamp(NOW + 5)


def test_what_others_wrote_into_a_lease_stays() -> None:
    """Labels, annotations and fields that we do not know; but not who wrote which field, which the server refuses."""
    found = lease(strategy="OldestEmulationVersion")
    found["metadata"] |= {"labels": {"team": "a"}, "annotations": {"why": "b"}, "managedFields": [{}]}
    made = CLAIM.taken(found, namespace="shop", now=NOW)

    assert made["spec"]["strategy"] == "OldestEmulationVersion"
    assert made["metadata"]["labels"]["team"] == "a"
    assert made["metadata"]["annotations"]["why"] == "b"
    assert made["metadata"]["resourceVersion"] == "1"
    assert "managedFields" not in made["metadata"]


def test_a_released_lease_names_nobody_and_is_short() -> None:
    """So that others, also of other programs, need not wait."""
    made = CLAIM.released(CLAIM.taken(None, namespace="shop", now=NOW), namespace="shop", now=NOW + 1)

    assert holder_of(made) == ""
    assert made["spec"]["leaseDurationSeconds"] == 1


@pytest.mark.parametrize("document", [{}, {"spec": None}, {"spec": {}}, {"spec": {"holderIdentity": None}}])
def test_a_lease_that_says_nothing_is_nobodys(document: dict[str, Any]) -> None:
    """Whatever somebody made by hand has a meaning."""
    assert holder_of(document) == ""
    assert shards_of(document) == 0
    assert not Sighting(document, 0.0).is_held(1.0, 15.0)


@pytest.mark.parametrize(
    ("told", "ends"), [(15, 15.0), (60, 60.0), (1, 15.0), (10**9, 300.0), ("60", 15.0), (True, 15.0), (None, 15.0)]
)
def test_a_lease_runs_out_after_its_length_or_ours(told: object, ends: float) -> None:
    """The longer one counts, and what no Lease of a program would say is believed up to five minutes."""
    assert Sighting(lease(seconds=told), 100.0).runs_out_at(15.0) == 100.0 + ends


@pytest.mark.parametrize("off", [-5 * HOUR, 0.0, 5 * HOUR])
def test_the_time_of_day_in_a_lease_says_nothing(off: float) -> None:
    """A holder whose clock is hours off lives as long as others see it renew."""
    seen = Sightings(15.0)
    for moment in range(0, 100, 5):
        seen.see([lease(version=str(moment), renewTime=timestamp(NOW + off))], float(moment))
    alive, dead = seen.is_held(OURS.shard(0), 109.9), seen.is_held(OURS.shard(0), 110.0)

    assert (alive, dead) == (True, False)


def test_a_lease_that_does_not_change_runs_out() -> None:
    """Looking at it again keeps nobody alive."""
    seen = Sightings(15.0)
    for moment in range(16):
        seen.see([lease()], float(moment))

    assert not seen.is_held(OURS.shard(0), 15.0)


def test_a_lease_that_vanished_counts_until_it_would_have_run_out() -> None:
    """Who held it may not know; afterwards nothing is known of it but that it was there."""
    seen = Sightings(15.0)
    seen.see([lease()], 0.0)
    seen.see([], 14.9)
    shortly = seen.is_held(OURS.shard(0), 14.9)
    seen.see([], 15.0)

    assert shortly
    assert seen.get(OURS.shard(0)) is None
    assert seen.was_there(OURS.shard(0))
    assert not seen.was_there(OURS.shard(1))


def test_a_rivals_lease_that_vanished_counts_as_long() -> None:
    """Whoever holds it for one namespace may not know, and acts on for what is ours, too."""
    rival = {**lease(), "metadata": {"name": Names("shop").shard(0), "resourceVersion": "1"}}
    seen = Sightings(15.0)
    seen.see([rival], 0.0)
    seen.see([], 14.9)
    shortly = seen.is_held(Names("shop").shard(0), 14.9)
    seen.see([], 15.0)

    assert shortly
    assert list(seen) == []


def test_members_that_vanished_are_gone_at_once() -> None:
    """They hold nothing."""
    member = {**lease(), "metadata": {"name": OURS.member("a"), "resourceVersion": "1"}}
    seen = Sightings(15.0)
    seen.see([member], 0.0)
    seen.see([], 1.0)

    assert list(seen) == []
    assert not seen.was_there(OURS.member("a"))

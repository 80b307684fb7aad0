"""What a ConfigMap says of the operator's switch."""

from datetime import UTC, datetime

import pytest

from rollout.kube.resources import MANAGER
from rollout.kube.switch import MOST_REASON, kept_switch, position_of
from rollout.signals import Position

TIME = "2026-11-24T10:02:00Z"
AT = datetime(2026, 11, 24, 10, 2, tzinfo=UTC).timestamp()


def said(data: dict[str, str] | None, *setters: tuple[str, str]) -> Position:
    """Return what a ConfigMap says whose key ``failover`` was set by these managers at these times."""
    metadata: dict[str, object] = {"namespace": "rollout-system", "name": "rollout-controller", "resourceVersion": "7"}
    metadata["managedFields"] = [
        {"manager": manager, "time": time, "fieldsV1": {"f:data": {".": {}, "f:failover": {}}}}
        for manager, time in setters
    ] + [{"manager": "labeller", "time": "2030-01-01T00:00:00Z", "fieldsV1": {"f:metadata": {}}}]
    return position_of({"metadata": metadata, **({} if data is None else {"data": data})})


OURS = {
    "failover": "stopped",
    "failover-reason": "maintenance of the mesh",
    "failover-by": "alice",
    "failover-since": "2026-11-24T10:02:00.000+00:00",
}


@pytest.mark.parametrize("data", [None, {}, {"colour": "blue"}, {"failover-reason": "no matter"}])
def test_without_the_key_nothing_is_stopped(data: dict[str, str] | None) -> None:
    """A ConfigMap may hold other things."""
    assert said(data) == Position()


def test_what_the_api_wrote_comes_back() -> None:
    """Who, when and why."""
    assert said(OURS, (MANAGER, TIME)) == Position(stopped=True, by="alice", at=AT, reason="maintenance of the mesh")


def test_where_nobody_keeps_book_the_keys_count() -> None:
    """An API server always does; a copy of the object may not."""
    assert said(OURS).by == "alice"


def test_who_set_it_by_kubectl_is_told_and_not_whom_the_keys_name() -> None:
    """The keys of an older turn by the API tell of that one."""
    position = said(OURS, (MANAGER, "2026-11-24T08:00:00Z"), ("kubectl-patch", TIME))

    assert (position.by, position.at) == ("ConfigMap, field manager kubectl-patch", AT)


@pytest.mark.parametrize("state", ["stopped", "Stopped", " stopped "])
def test_stopped_is_stopped(state: str) -> None:
    """In whatever case, with spaces or without."""
    assert said({"failover": state}).stopped


@pytest.mark.parametrize("state", ["auto", "Auto", "auto\n"])
def test_auto_is_automatic(state: str) -> None:
    """In whatever case, with a line end or without."""
    assert not said({"failover": state}).stopped


@pytest.mark.parametrize("state", ["", "off", "stoped", "true"])
def test_anything_else_stops_and_says_so(state: str) -> None:
    """Whoever has mistyped it in a hurry meant to stop it."""
    position = said({"failover": state, "failover-reason": "fire"})

    assert position.stopped
    assert position.reason == f"failover is {state!r}, which is neither auto nor stopped; fire"


def test_a_reason_is_one_short_line() -> None:
    """What people write must not break a sentence, a log or a status."""
    position = said({"failover": "stopped", "failover-reason": "two\nlines \x1b[31m" + "x" * 2000})

    assert position.reason.startswith("two lines [31mxxx")
    assert len(position.reason) == MOST_REASON


@pytest.mark.parametrize("time", ["", "yesterday", "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none_is_not_known(time: str) -> None:
    """The sentence then does without."""
    assert said({**OURS, "failover-since": time}, (MANAGER, TIME)).at == 0.0


def test_a_time_without_a_zone_is_utc() -> None:
    """As all times are that we write."""
    assert said({**OURS, "failover-since": "2026-11-24T10:02:00"}, (MANAGER, TIME)).at == AT


def test_other_keys_are_not_kept_in_memory() -> None:
    """A large ConfigMap costs nothing."""
    metadata = {"namespace": "a", "name": "b", "resourceVersion": "7"}
    kept = kept_switch({"metadata": metadata, "data": {"failover": "stopped", "big": "x" * 100_000}})

    assert "x" * 100 not in str(kept)
    assert kept["position"] == Position(stopped=True)

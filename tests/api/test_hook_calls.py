"""Calls as commands: whose id is whose, and for how long, and how many, are remembered."""

from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from rollout.api.hook_calls import KEPT_SECONDS, AcceptedCalls, HookCall, call_of
from rollout.api.models import CommandId, CommandOutcome, StartRequest

ASKED = StartRequest(namespace="shop", rollout="web", revision="2")
DONE = CommandOutcome(id="x", action="start", state="done", reason="Started", message="")


def called(hook: str = "ci", call_id: str = "build-1", **fields: str) -> HookCall:
    """Return a call."""
    return call_of(hook, call_id, ASKED.model_copy(update=fields))


def test_the_id_is_always_one_that_a_command_can_have() -> None:
    """However long names are."""
    made = called("h" * 63, "i" * 64, revision="r" * 253).command_id

    assert TypeAdapter(CommandId).validate_python(made) == made


@pytest.mark.parametrize(
    "other", [called("nightly"), called("h" * 62 + "i"), called(call_id="build-2"), called("ci-b", "uild-1")]
)
def test_another_hook_or_id_is_another_family(other: HookCall) -> None:
    """Also where only the end of a long name differs."""
    assert other.family not in {called().family, called("h" * 63).family}


@pytest.mark.parametrize("fields", [{"revision": "3"}, {"reason": "why"}])
def test_another_payload_is_another_command_of_the_same_family(fields: dict[str, str]) -> None:
    """So that it is seen."""
    other = called(**fields)

    assert other.family == called().family
    assert other.command_id != called().command_id


def test_a_call_is_remembered_as_long_as_its_signature_is_good() -> None:
    """From the first answer on; asking again does not make it longer."""
    calls = AcceptedCalls()
    calls.remember(called(), outcome_in("waiting"), 100.0)
    calls.remember(called(), DONE, 400.0)
    kept = calls.find(called(), 100.0 + KEPT_SECONDS)

    assert kept is not None
    assert kept.outcome == DONE
    assert calls.find(called(), 101.0 + KEPT_SECONDS) is None


def test_of_a_hook_only_so_many_are_remembered() -> None:
    """The oldest are forgotten, and other hooks keep theirs."""
    calls = AcceptedCalls(most=2)
    calls.remember(called("nightly"), DONE, 0.0)
    for number in range(3):
        calls.remember(called(call_id=f"build-{number}"), DONE, 0.0)

    found = [calls.find(called(call_id=f"build-{number}"), 1.0) is not None for number in range(3)]
    assert found == [False, True, True]
    assert calls.find(called("nightly"), 1.0) is not None


def test_what_is_too_old_takes_no_place() -> None:
    """An id that comes after its time is new, and counts from then."""
    calls = AcceptedCalls()
    calls.remember(called(), DONE, 0.0)
    calls.remember(called(call_id="build-2"), DONE, 2 * KEPT_SECONDS)
    calls.remember(called(), DONE, 2 * KEPT_SECONDS)

    assert calls.find(called(), 3 * KEPT_SECONDS) is not None


def test_another_rollout_has_ids_of_its_own() -> None:
    """One build may start several."""
    calls = AcceptedCalls()
    calls.remember(called(), DONE, 0.0)

    assert calls.find(replace(called(), key=called(rollout="api").key), 0.0) is None


def outcome_in(state: str) -> CommandOutcome:
    """Return an outcome in this state."""
    return DONE.model_copy(update={"state": state})

"""The annotation that carries a command, as people and our API write it, read by the store of a real cluster."""

import asyncio
import json
import time

import pytest

from rollout.engine.observation import Command
from rollout.errors import ConflictError, PermanentError
from rollout.kube.orders import COMMAND
from rollout.ports import Key
from tests.contracts.builders import rollout_document, status
from tests.contracts.stores import ABORT, PAUSE, heard, there
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.store.world import Hands, KubeDesk, desk, seen

BY = "annotation, field manager kubectl-annotate"
APPLIED = "annotation, field manager kubectl-client-side-apply"


async def made(store: KubeDesk, key: Key) -> None:
    """Make the Rollout."""
    await store.apply(rollout_document(namespace=key.namespace))


async def test_an_annotation_by_kubectl_is_a_command(store: KubeDesk, hands: Hands, key: Key) -> None:
    """It is told, and says who wrote it and when."""
    await made(store, key)
    told = heard(store)
    await hands.annotate('{"id":"c1","action":"pause","reason":"lunch"}')
    command = (await seen(store, key, lambda shown: shown.command)).command

    assert command is not None
    assert (command.id, command.action, command.reason, command.by) == ("c1", "pause", "lunch", BY)
    assert abs(command.at - time.time()) < 60
    assert told == [key]


async def test_an_annotation_cannot_say_who_wrote_it(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Neither alone nor over one of our API, whose author is believed."""
    await made(store, key)
    await store.command(key, PAUSE)
    asked = there(store, key).command
    await hands.annotate('{"id":"c2","action":"abort","by":"ada"}')
    forged = (await seen(store, key, lambda shown: shown.command and shown.command.id == "c2")).command

    assert asked is not None
    assert asked.by == "ada"
    assert forged is not None
    assert forged.by == BY


async def applied(hands: Hands, key: Key, text: str, *flags: str) -> None:
    """Apply a manifest that carries this command."""
    document = rollout_document(namespace=key.namespace)
    metadata = {"name": key.name, "namespace": key.namespace, "annotations": {COMMAND: text}}
    path = hands.cluster.folder / f"{key.namespace}.json"
    path.write_text(json.dumps({**document, "metadata": metadata}), encoding="utf-8")
    await hands.cluster.kubectl("apply", *flags, "-f", str(path))


async def test_a_manifest_can_carry_a_command(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Of kubectl apply, which owns it then; it says when it was given."""
    at = int(time.time())
    await applied(hands, key, json.dumps({"action": "pause", "at": at}))
    command = (await seen(store, key, lambda shown: shown.command)).command

    assert command is not None
    assert (command.action, command.at, command.by) == ("pause", at, APPLIED)


@pytest.mark.parametrize("flags", [(), ("--server-side", "--field-manager=flux")])
async def test_a_manifest_without_a_time_carries_none(
    store: KubeDesk, hands: Hands, key: Key, flags: tuple[str, ...]
) -> None:
    """It is refused, until somebody annotates it by hand, who needs none."""
    await applied(hands, key, '{"id":"a","action":"abort"}', *flags)
    refused = (await seen(store, key, lambda shown: shown.command)).command
    await hands.annotate('{"id":"b","action":"abort"}')
    given = (await seen(store, key, lambda shown: shown.command and shown.command.id == "b")).command

    assert refused is not None
    assert given is not None
    assert (refused.action, given.action) == ("unreadable", "abort")
    assert "at: is needed in what is applied" in refused.problem


async def test_a_manifest_through_our_api_carries_none(store: KubeDesk, key: Key) -> None:
    """Commands have a door of their own there; what waits stays."""
    await made(store, key)
    await store.command(key, PAUSE)
    metadata = {"name": key.name, "namespace": key.namespace, "annotations": {COMMAND: "{}", "team": "a"}}
    await store.apply({**rollout_document(namespace=key.namespace), "metadata": metadata})

    assert there(store, key).command == PAUSE
    assert there(store, key).document["metadata"] == {**metadata, "annotations": {"team": "a"}}


async def test_the_annotation_that_is_taken_away_waits_no_more(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Whoever changed their mind in time."""
    await made(store, key)
    await hands.annotate('{"action":"pause"}')
    await seen(store, key, lambda shown: shown.command)
    await hands.cluster.kubectl("annotate", "rollouts.rollout.dev", key.name, "-n", key.namespace, f"{COMMAND}-")
    shown = await seen(store, key, lambda shown: shown.command is None)

    assert shown.document == rollout_document(namespace=key.namespace)


async def test_one_that_was_handled_does_not_wait_again(store: KubeDesk, hands: Hands, key: Key) -> None:
    """The same annotation written again, by hand or by an apply, is the same command."""
    await made(store, key)
    await store.record(key, status=status(1, handled=("c1",)), expected=there(store, key).version)
    await hands.annotate('{"id":"c1","action":"abort"}')
    written = (await hands.get())["metadata"]["resourceVersion"]
    shown = await seen(store, key, lambda shown: int(shown.version) >= int(written))

    assert shown.command is None


async def test_one_that_cannot_be_read_is_shown_with_its_problem(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Somebody waits for an answer."""
    await made(store, key)
    await hands.annotate("pause!")
    command = (await seen(store, key, lambda shown: shown.command)).command

    assert command is not None
    assert command.problem.startswith(f"{COMMAND} cannot be obeyed: it is no JSON (given: pause!)")
    assert command.by == BY


async def test_a_command_of_one_replica_is_seen_by_all(store: KubeDesk, cluster: Cluster, key: Key) -> None:
    """Whichever the caller asked, and whichever acts."""
    await made(store, key)
    async with desk(cluster, key.namespace) as other:
        await store.command(key, PAUSE)
        shown = await seen(other, key, lambda shown: shown.command)
        with pytest.raises(ConflictError, match=r"pause \(c1\) waits; only abort replaces it"):
            await other.command(key, Command("c3", "resume"))

    assert shown.command == PAUSE


async def test_of_two_commands_at_once_one_waits(store: KubeDesk, cluster: Cluster, key: Key) -> None:
    """Two replicas that have seen nothing of each other: the API server compares, and the second is told what waits."""
    await made(store, key)
    async with desk(cluster, key.namespace) as other:
        commands = (store.command(key, PAUSE), other.command(key, Command("c3", "resume")))
        tries = await asyncio.gather(*commands, return_exceptions=True)
    refused = [str(one) for one in tries if isinstance(one, ConflictError)]
    waiting = (await seen(store, key, lambda shown: shown.command)).command

    assert waiting is not None
    assert refused == [f"{waiting.action} ({waiting.id}) waits; only abort replaces it"]


async def test_abort_replaces_what_another_replica_was_asked(store: KubeDesk, cluster: Cluster, key: Key) -> None:
    """Also where this one has not heard of it yet."""
    await made(store, key)
    async with desk(cluster, key.namespace) as other:
        await other.command(key, PAUSE)
        await store.command(key, ABORT)

    assert there(store, key).command == ABORT


@pytest.mark.parametrize(
    "command", [Command("c1", "pause", reason="x" * 5000), Command("c1", "pause", {"a": object()})]
)
async def test_a_command_that_cannot_be_carried_is_refused(store: KubeDesk, key: Key, command: Command) -> None:
    """At once, where the caller hears of it."""
    await made(store, key)
    before = there(store, key)
    with pytest.raises(PermanentError, match="the command cannot be kept"):
        await store.command(key, command)

    assert there(store, key) == before

"""``RolloutStore`` and ``IntentStore`` of the kubernetes runtime: the Rollout resource itself is what is stored.

Spec and annotations are the intent, the status is the state; nothing else is kept anywhere. Reads come from memory,
which a watch keeps up; every write is compared with the version that it was decided on, by the API server. The
controller and the API stand on it; what a status means is the engine's.

The finalizer ``rollout.dev/weights`` is there only while an attempt runs or a failover is active: it comes before the
first status that tells of an attempt is written, and goes after one that rests. A Rollout at rest is deleted at once. A
deletion leaves what a failover moved where it is, so for a failover the finalizer comes a second after the record, and
the weights wait for one write less.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

import structlog

from rollout.ending import end
from rollout.engine.observation import Command
from rollout.engine.table import Action
from rollout.errors import ConflictError, PermanentError, RolloutError
from rollout.kube.api import KubeApi
from rollout.kube.journal import KubeJournal
from rollout.kube.kept import handled_ids, is_deleting, stored
from rollout.kube.memory import Memory
from rollout.kube.orders import COMMAND, text_of
from rollout.kube.placing import MOST_TRIES, place
from rollout.kube.policies import KubePolicies, refuse_other_version
from rollout.kube.publishing import Prepare
from rollout.kube.reflector import Reflector
from rollout.kube.resources import ROLLOUTS, Document, version_of
from rollout.kube.statuses import annotating, holding, is_attempted, is_running, recording, releasing, with_sequences
from rollout.ports import Clock, Key, PolicyKey, StoredRollout
from rollout.spec.identity import identity_of, kind_of, policy_key, policy_named
from rollout.spec.resource import PolicyRef

log = structlog.get_logger(__name__)

HOLD_AFTER_SECONDS = 1.0
"""So long after it was recorded a failover gets the finalizer: many at once have better things to write first."""


class KubeStore:
    """The store; ``journal`` tells of its transitions. All methods belong to the event loop."""

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        *,
        chance: Callable[[], float],
        namespace: str = "",
        prepare: Prepare | None = None,
    ) -> None:
        """Hold the Rollouts of ``namespace`` (empty: of all).

        ``prepare`` is awaited, at most 5 s, before a Rollout shows that is new or names other routes than before.
        """
        self._api = api
        self._policies = KubePolicies(api, clock, self._tell_users, chance=chance, namespace=namespace)
        self._memory = Memory(api, clock, chance=chance, namespace=namespace, prepare=prepare)
        self._beside: dict[Key, asyncio.Task[None]] = {}

    @property
    def journal(self) -> KubeJournal:
        """Return the journal of the transitions."""
        return self._memory.journal

    async def start(self) -> None:
        """Begin, and return when everything is in memory, or when patience is over: it goes on by itself."""
        await asyncio.gather(self._policies.start(), self._memory.start())

    async def aclose(self) -> None:
        """End the watches, and what is written beside."""
        await end(*self._beside.values())
        await asyncio.gather(self._policies.aclose(), self._memory.aclose())

    def watches(self) -> tuple[Reflector, ...]:
        """Return the reflectors."""
        return (self._memory.watch, *self._policies.watches())

    # ------------------------------------------------------------ reading

    def keys(self) -> Iterable[Key]:
        """Return the keys of all Rollouts."""
        return self._memory.keys()

    def read(self, key: Key) -> StoredRollout | None:
        """Return the Rollout from memory, or None when there is none."""
        return self._memory.read(key)

    def policy(self, ref: PolicyRef, namespace: str) -> Document | None:
        """Return the policy's document, or None when there is none."""
        return self._policies.get(policy_key(ref.kind, namespace, ref.name))

    def policies(self) -> Mapping[PolicyKey, Document]:
        """Return the documents of all policies."""
        return self._policies.all()

    def source_of(self, key: Key) -> str:  # noqa: ARG002 - as the port has it
        """Return nothing: what speaks for a Rollout is the cluster."""
        return ""

    def source_of_policy(self, policy: PolicyKey) -> str:  # noqa: ARG002 - as the port has it
        """Return nothing: what speaks for a policy is the cluster."""
        return ""

    def subscribe(self, listener: Callable[[Key], None]) -> None:
        """Call ``listener`` on the loop whenever a Rollout, its policy or its command changed, or others recorded."""
        self._memory.subscribe(listener)

    def _tell_users(self, policy: PolicyKey) -> None:
        for shown in self._memory.all():
            ref = policy_named(shown.document) if _names(shown.document, policy[2]) else None
            if ref is not None and policy_key(ref.kind, shown.key.namespace, ref.name) == policy:
                self._memory.tell(shown.key)

    # ------------------------------------------------------------ the controller's writes

    async def record(self, key: Key, *, status: Mapping[str, object], expected: str) -> str:
        """Write the status if the version is ``expected``; return the new version.

        Raises:
            ConflictError: the version is another one; memory then has it as it is.
            NotOursError: the Rollout is gone.
            PermanentError: the status is not JSON, or the API server refuses it.
            Unavailable: the API server cannot be reached, or cannot answer now.
        """
        given = _as_json(status)
        kept = self._expected(key, expected)
        if is_attempted(given) and not is_deleting(kept):
            kept = await self._memory.patch(key, kept, holding(kept))
        operations = recording(with_sequences(given, self.journal.sequences(key)), expected=version_of(kept))
        with self._memory.recording(key, given):
            kept = await self._memory.patch(key, kept, operations, subresource="status")
        if is_running(given) and not is_deleting(kept) and holding(kept):
            self._hold_beside(key)
        return await self._release(key, kept)

    def _hold_beside(self, key: Key) -> None:
        """Take the finalizer soon, when the weights are written; what fails is tried again with the next record."""
        if key not in self._beside:
            task = self._beside[key] = asyncio.create_task(self._hold(key), name=f"finalizer of {key}")
            task.add_done_callback(lambda _: self._beside.pop(key))

    async def _hold(self, key: Key) -> None:
        await asyncio.sleep(HOLD_AFTER_SECONDS)
        try:
            kept = self._memory.kept(key)
            if is_running(kept["status"]) and not is_deleting(kept):
                await self._memory.patch(key, kept, holding(kept))
        except RolloutError as error:
            log.debug("finalizer not taken yet", rollout=str(key), why=str(error))

    def _expected(self, key: Key, expected: str) -> Document:
        """Return what is kept of the Rollout, which must be what the caller has seen."""
        kept, shown = self._memory.kept(key), self._memory.read(key)
        if shown is None or not shown.version == expected == version_of(kept):
            raise ConflictError(f"{key} has changed since: version {version_of(kept)}, expected {expected}")
        return kept

    async def _release(self, key: Key, recorded: Document) -> str:
        """Take the finalizer from a Rollout that rests; return the version that has what was recorded and no more.

        What was recorded stands, whatever comes of this: a finalizer that stays goes with a later record, or with the
        deletion.
        """
        kept: Document | None = recorded
        for _ in range(MOST_TRIES):
            if kept is None or is_running(kept["status"]) or is_deleting(kept):
                break
            try:
                released = await self._memory.patch(key, kept, releasing(kept))
                return version_of(released if kept is recorded else recorded)
            except ConflictError:
                kept = self._memory.watch.get(key.namespace, key.name)
            except RolloutError as error:
                log.warning("finalizer left", rollout=str(key), why=str(error))
                break
        return version_of(recorded)

    async def checkpoint(self, key: Key, *, judge: Mapping[str, object], samples: Mapping[str, object]) -> None:
        """Do nothing: Prometheus can be asked again."""

    async def remove(self, key: Key) -> None:
        """Take the finalizer from a Rollout that was finished, so that its deletion ends.

        Raises:
            ConflictError: it is not being deleted, or others changed it each time.
            NotOursError: it is gone.
            Unavailable: the API server cannot be reached, or cannot answer now.
        """
        for _ in range(MOST_TRIES):
            kept = self._memory.kept(key)
            if not is_deleting(kept):
                raise ConflictError(f"{key} is not being deleted")
            with suppress(ConflictError):
                await self._memory.patch(key, kept, releasing(kept))
                return
        raise ConflictError(f"{key} was changed by others each of {MOST_TRIES} times")

    # ------------------------------------------------------------ what people and programs change

    async def apply(self, document: Mapping[str, object], source: str = "", *, expected: str | None = None) -> Key:  # noqa: ARG002 - as the port has it
        """Make or change a Rollout; labels and annotations that the manifest does not name stay.

        Raises:
            ConfigurationError: it is no Rollout, has no usable name, or the API server refuses it.
            ConflictError: its version is not ``expected`` (empty: it must not exist yet; None: whatever it is), it is
                being deleted, or others changed it each time.
            PermanentError: it is not JSON, or we may not write it.
            Unavailable: the API server cannot be reached, or cannot answer now.
        """
        kind_of(document, ROLLOUTS.kind)
        refuse_other_version(document, ROLLOUTS)
        key = Key(*identity_of(document))
        placed = await place(self._api, ROLLOUTS, (key.namespace, key.name), _as_json(document), expected=expected)
        await self._memory.put(key, placed)
        return key

    async def apply_policy(self, document: Mapping[str, object], source: str = "") -> None:  # noqa: ARG002 - as the port has it
        """Make or change a policy; as ``KubePolicies.apply``."""
        await self._policies.apply(_as_json(document))

    async def remove_policy(self, kind: str, namespace: str, name: str) -> None:
        """Take a policy away; its Rollouts then say that it is missing."""
        await self._policies.remove(kind, namespace, name)

    async def mark_deleting(self, key: Key) -> None:
        """Ask for the deletion: at rest the Rollout is gone then, else the controller finishes it first.

        Raises:
            NotOursError: it is gone.
            Unavailable: the API server cannot be reached, or cannot answer now.
        """
        shown = self._memory.read(key)
        if shown is not None and shown.deleting:
            return
        await self._api.delete(ROLLOUTS, key.namespace, key.name)
        await self._memory.read_again(key)

    async def command(self, key: Key, command: Command) -> None:
        """Leave a command as an annotation; one with the id of the waiting or of a handled one changes nothing.

        Raises:
            ConflictError: another command waits (only abort replaces it), or others changed the Rollout each time.
            NotOursError: the Rollout is gone.
            PermanentError: its arguments are not JSON, or too long.
            Unavailable: the API server cannot be reached, or cannot answer now.
        """
        text = _as_text(command)
        for _ in range(MOST_TRIES):
            kept = self._memory.kept(key)
            if _is_known(command, kept):
                return
            with suppress(ConflictError):
                await self._memory.patch(key, kept, annotating(kept, COMMAND, text))
                return
        raise ConflictError(f"{key} was changed by others each of {MOST_TRIES} times")


def _names(document: Mapping[str, Any], name: str) -> bool:
    """Return whether the Rollout may name a policy of this name: a look that costs nothing."""
    spec = document["spec"]
    named = spec.get("policy") if isinstance(spec, Mapping) else None
    return isinstance(named, Mapping) and named.get("name") == name


def _is_known(command: Command, kept: Document) -> bool:
    """Return whether the command waits already, or was handled.

    Raises:
        ConflictError: another one waits, which this one does not replace.
    """
    waiting = stored(kept).command
    if command.id in handled_ids(kept["status"]) or (waiting is not None and waiting.id == command.id):
        return True
    if waiting is not None and command.action != Action.ABORT:
        raise ConflictError(f"{waiting.action} ({waiting.id}) waits; only abort replaces it")
    return False


def _as_json(value: Mapping[str, object]) -> dict[str, Any]:
    """Return a copy of ``value`` as JSON has it.

    Raises:
        PermanentError: it is not JSON.
    """
    try:
        return cast("dict[str, Any]", json.loads(json.dumps(value, allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise PermanentError(f"what is to be kept is not JSON: {error}") from error


def _as_text(command: Command) -> str:
    try:
        return text_of(command)
    except (TypeError, ValueError, RecursionError) as error:
        raise PermanentError(f"the command cannot be kept, which is to be JSON: {error}") from error

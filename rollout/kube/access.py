"""The port ``Access`` by the cluster's own means: a token is what the API server takes it for, a right what it allows.

Whose a token is says a TokenReview, what somebody may do with Rollouts a SubjectAccessReview; so people and programs
have the rights here that they have with kubectl. Answers, yes and no, hold for ten seconds: for so long a right that
was withdrawn goes on, and one that was just granted waits (a token that was taken back goes on for twice as long, since
the API server keeps what it found for ten seconds, too). Where no answer comes, nobody is let in.

Tokens are neither kept nor told: an answer is found by the token's SHA-256.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256

from rollout.errors import RolloutError, Unavailable
from rollout.kube.answers import Answers
from rollout.kube.api import KubeApi
from rollout.kube.resources import ACCESS_REVIEWS, ROLLOUTS, TOKEN_REVIEWS, Document, Resource
from rollout.ports import Caller, Clock, Verb

LONGEST_TOKEN = 16 * 1024
"""The API server's own limit of a request header is not much more than this."""

LONGEST_NAME = 512
"""A longer name of a user is none that could be shown or written down."""


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """How long (s) and how many answers of each kind are kept, how long (s) one is waited for, how many at once."""

    kept_seconds: float = 10.0
    most_kept: int = 2000
    answer_seconds: float = 5.0
    most_asked: int = 16


@dataclass(frozen=True, slots=True)
class Reviewed(Caller):
    """Whom the API server knows: ``roles`` are the groups; ``uid`` and ``extra`` (scopes, say) count for rights."""

    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


class KubeAccess:
    """``Access`` of one cluster; belongs to one event loop."""

    def __init__(self, api: KubeApi, clock: Clock, options: AccessOptions = AccessOptions()) -> None:
        """Ask the cluster behind ``api``; time is told by ``clock``."""
        self._api = api
        self._options = options
        self._turns = asyncio.Semaphore(options.most_asked)
        kept, most = options.kept_seconds, options.most_kept
        self._callers = Answers[bytes, Reviewed | None](clock, seconds=kept, most=most)
        self._rights = Answers[tuple[Caller, Verb, str], bool](clock, seconds=kept, most=most)

    async def identify(self, token: str) -> Caller | None:
        """Return whom the API server takes the token for; None when for nobody.

        Raises:
            Unavailable: it did not answer, or does not let us ask.
        """
        if not token or len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        return await self._callers.find(sha256(token.encode()).digest(), lambda: self._identify(token))

    async def may(self, caller: Caller, verb: Verb, namespace: str) -> bool:
        """Return whether the cluster's rules let the caller do this with Rollouts in the namespace (empty: in all).

        Raises:
            Unavailable: as ``identify``.
        """
        return await self._rights.find((caller, verb, namespace), lambda: self._may(caller, verb, namespace))

    async def _identify(self, token: str) -> Reviewed | None:
        status = await self._review(TOKEN_REVIEWS, {"token": token}, secret=token)
        return _caller(status) if _flag(status, "authenticated") else None

    async def _may(self, caller: Caller, verb: Verb, namespace: str) -> bool:
        attributes = {"group": ROLLOUTS.group, "resource": ROLLOUTS.plural, "verb": verb.value, "namespace": namespace}
        spec: dict[str, object] = {
            "user": caller.name,
            "groups": list(caller.roles),
            "resourceAttributes": attributes,
        }
        if isinstance(caller, Reviewed):
            spec |= {"uid": caller.uid, "extra": {key: list(values) for key, values in caller.extra}}
        status = await self._review(ACCESS_REVIEWS, spec)
        return _flag(status, "allowed") and not _flag(status, "denied")

    async def _review(self, resource: Resource, spec: Document, *, secret: str = "") -> Document:
        """Return the status of the review.

        Raises:
            Unavailable: whatever went wrong, we do not know; ``secret`` is not in the message.
        """
        document = {"apiVersion": resource.api_version, "kind": resource.kind, "spec": spec}
        limit = self._options.answer_seconds
        try:
            async with asyncio.timeout(limit), self._turns:
                review = await self._api.create(resource, document)
        except TimeoutError:
            raise _unknown(resource, f"the API server did not answer within {limit:g} s") from None
        except RolloutError as error:
            # The server may repeat what it was asked; so the cause is not told, and such words are not.
            repeats = bool(secret) and secret in str(error)
            raise _unknown(resource, type(error).__name__ if repeats else str(error)) from None
        status = review.get("status")
        if not isinstance(status, dict):
            raise _unknown(resource, "the API server's answer has no status")
        return status


def _unknown(resource: Resource, why: str) -> Unavailable:
    return Unavailable(f"no {resource.kind} could be had, so nobody is let in: {why}")


def _flag(status: Document, name: str) -> bool:
    return status.get(name) is True


def _caller(status: Document) -> Reviewed | None:
    """Return the user of a TokenReview; None when it has no name that can be used."""
    user = status.get("user")
    name = user.get("username") if isinstance(user, dict) else None
    if not isinstance(user, dict) or not isinstance(name, str) or not name or len(name) > LONGEST_NAME:
        return None
    extra = user.get("extra")
    pairs = sorted(extra.items()) if isinstance(extra, dict) else []
    return Reviewed(
        name, _words(user.get("groups")), str(user.get("uid") or ""), tuple((key, _words(told)) for key, told in pairs)
    )


def _words(told: object) -> tuple[str, ...]:
    return tuple(str(one) for one in told) if isinstance(told, list) else ()

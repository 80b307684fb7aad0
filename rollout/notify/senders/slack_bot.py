"""Tells Slack as a bot: the first transition of an attempt is a message, later ones answer in its thread.

Made by ``rollout.notify.senders.make``. The thread is named ``channel:ts`` and kept by whoever calls. After each
answer the first message is brought up to date; that is a courtesy: its failure is logged, and the answer, which people
have by then, is never sent again because of it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import structlog

from rollout.errors import RolloutError
from rollout.notify.message import Kind, Message
from rollout.notify.senders.answers import Answer, demand_taken
from rollout.notify.senders.secret_files import Secret
from rollout.notify.senders.webhook import Parts, encoded
from rollout.notify.senders.words import THREAD_GONE, object_in, slack_api
from rollout.notify.shapes import slack

API = "https://slack.com/api"

MOST_BYTES = 512 * 1024
"""Bytes of an answer that are read: Slack repeats the whole message in it."""

_THREAD = re.compile(r"([A-Z0-9]{1,32}):([0-9]{1,16}\.[0-9]{1,16})")
_POST = "chat.postMessage"
_UPDATE = "chat.update"

_log = structlog.get_logger(__name__)


class SlackBotSender:
    """A channel that a bot writes to."""

    def __init__(self, parts: Parts, *, token: Secret, channel: str) -> None:
        """Write to ``channel`` (its id, or its name with ``#``) with the bot's ``token``."""
        self._parts = parts
        self._token = token
        self._channel = channel

    async def send(self, message: Message) -> str:
        """Deliver the message, as ``Sender`` says; the thread of a transition is the one of its attempt."""
        deadline = asyncio.get_running_loop().time() + self._parts.door.seconds
        address = await self._parts.address.read(), await self._token.read()
        call = _Call(self._parts, message.id, address, deadline)
        thread = _THREAD.fullmatch(message.thread)
        if thread is not None and await _replied(call, message, channel=thread[1], root=thread[2]):
            return message.thread
        answer = await call.post(_POST, slack.root(message, channel=self._channel))
        call.demand_ok(answer)
        return _thread_of(answer) if message.kind is Kind.TRANSITION else message.thread

    async def aclose(self) -> None:
        """End all connections."""
        await self._parts.door.aclose()


class _Call:
    """The calls for one message: one id, one address with its token, one deadline for all of them."""

    def __init__(self, parts: Parts, message_id: str, address: tuple[str, str], deadline: float) -> None:
        self._parts = parts
        self._id = message_id
        self._url, self._token = address[0].rstrip("/"), address[1]
        self._deadline = deadline

    async def post(self, method: str, body: Mapping[str, object]) -> Answer:
        """Return the answer to one call of a method; the message carries its id, as ``metadata`` of Slack's."""
        metadata = {"event_type": "rollout_message", "event_payload": {"id": self._id}}
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Authorization": f"Bearer {self._token}",
            "Idempotency-Key": self._id,
        }
        sent = encoded({**body, "metadata": metadata})
        return await self._parts.door.post(
            f"{self._url}/{method}", sent, headers, deadline=self._deadline, most=MOST_BYTES
        )

    def demand_ok(self, answer: Answer) -> None:
        """Return when Slack did as told; errors as those of ``demand_taken``."""
        demand_taken(self._parts.owner, answer, now=self._parts.clock.now(), said=slack_api(answer))


async def _replied(call: _Call, message: Message, *, channel: str, root: str) -> bool:
    """Answer in the thread, and bring its first message up to date; False when the thread is gone."""
    answer = await call.post(_POST, slack.answer(message, channel=channel, root=root))
    if slack_api(answer).word in THREAD_GONE:
        return False
    call.demand_ok(answer)
    if message.kind is Kind.TRANSITION:
        await _update(call, slack.update(message, channel=channel, root=root))
    return True


async def _update(call: _Call, body: Mapping[str, object]) -> None:
    try:
        call.demand_ok(await call.post(_UPDATE, body))
    except RolloutError as error:
        _log.warning("first_message_not_updated", why=str(error))


def _thread_of(answer: Answer) -> str:
    """Return the thread that a message begins; empty when Slack does not say where it is."""
    found = object_in(answer.body)
    thread = f"{found.get('channel')}:{found.get('ts')}"
    return thread if _THREAD.fullmatch(thread) else ""

"""Sends a message as one POST to an address that is a secret: Slack, Mattermost, Discord, Teams, and signed events.

Made by ``rollout.notify.senders.make``. What differs between the kinds is a ``Style``; what a message looks like is
``rollout.notify.shapes``'s.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from rollout.notify.message import Message
from rollout.notify.senders.answers import demand_taken
from rollout.notify.senders.door import Door
from rollout.notify.senders.secret_files import Secret
from rollout.notify.senders.signing import Signing
from rollout.notify.senders.words import Reading, silent
from rollout.ports import Clock

Shape = Callable[[Message], Mapping[str, object]]
"""What a message looks like to one sink: the JSON object that is sent."""


def _as_it_is(url: str) -> str:
    return url


def confirmed(url: str) -> str:
    """Return the address of a Discord webhook so that it answers when the message is kept, and not before."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url  # the door refuses it, in words that do not repeat it
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "wait"]
    return parts._replace(query=urlencode([*query, ("wait", "true")])).geturl()


@dataclass(frozen=True, slots=True)
class Style:
    """What is particular to a kind: its media type, how its answers are read, what is done to its address."""

    reading: Reading = silent
    media_type: str = "application/json"
    address: Callable[[str], str] = _as_it_is


@dataclass(frozen=True, slots=True)
class Parts:
    """What a sender is made of: its name in errors, its door, its address, and the time."""

    owner: str
    door: Door
    address: Secret
    clock: Clock


class WebhookSender:
    """A sink that takes a POST."""

    def __init__(self, parts: Parts, shape: Shape, style: Style, *, signing: Signing | None = None) -> None:
        """Send what ``shape`` makes of a message, signed when ``signing`` is given."""
        self._parts = parts
        self._shape = shape
        self._style = style
        self._signing = signing

    async def send(self, message: Message) -> str:
        """Deliver the message, as ``Sender`` says; such a sink has no threads of its own."""
        parts, style = self._parts, self._style
        deadline = asyncio.get_running_loop().time() + parts.door.seconds
        url = await parts.address.read()
        body = encoded(self._shape(message))
        headers = {"Content-Type": style.media_type, "Idempotency-Key": message.id}
        if self._signing is not None:
            headers |= await self._signing.headers(message.id, body, now=parts.clock.now())
        answer = await parts.door.post(style.address(url), body, headers, deadline=deadline)
        demand_taken(parts.owner, answer, now=parts.clock.now(), said=style.reading(answer))
        return message.thread

    async def aclose(self) -> None:
        """End all connections."""
        await self._parts.door.aclose()


def encoded(body: Mapping[str, object]) -> bytes:
    """Return JSON in ASCII: the same bytes everywhere, also for text that is not valid Unicode."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")

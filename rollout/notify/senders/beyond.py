"""Sends through Apprise, which knows e-mail and a hundred other services; it is an extra, imported when it is used.

Made by ``rollout.notify.senders.make``. Apprise blocks, so it runs in threads of the sink. What Apprise and the
libraries below it log has addresses in it, so nothing of it is logged.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from rollout.aside import THREAD, Aside
from rollout.errors import ConfigurationError, PermanentError, Problem, Unavailable
from rollout.notify.message import Level, Message
from rollout.notify.senders.secret_files import Secret
from rollout.notify.senders.webhook import Shape

_TYPES = {Level.GOOD: "success", Level.NEWS: "info", Level.WARNING: "warning", Level.BAD: "failure"}
_BELOW = ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry")
"""Loggers of what Apprise calls; other parts of the service use it, too."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a call: ``known`` says whether Apprise knows such an address, ``taken`` whether it went out."""

    known: bool = True
    taken: bool = False


class AppriseSender:
    """A sink that one address of Apprise names."""

    def __init__(self, owner: str, aside: Aside, address: Secret, shape: Shape, *, seconds: float) -> None:
        """Give Apprise ``seconds`` for the title and the body that ``shape`` makes of a message.

        Raises:
            ConfigurationError: Apprise is not installed.
        """
        _demand_apprise(owner)
        _silence()
        self._owner = owner
        self._aside = aside
        self._address = address
        self._shape = shape
        self._seconds = seconds
        self._closed = False

    async def send(self, message: Message) -> str:
        """Deliver the message, as ``Sender`` says; why something failed Apprise tells only in its log."""
        if self._closed:
            raise Unavailable(f"{self._owner} is closed")
        url = await self._address.read()
        outcome = await self._outcome(url, self._shape(message), message.level)
        if not outcome.known:
            raise PermanentError(f"{self._owner} has an address that Apprise does not know, or more than one")
        if not outcome.taken:
            raise Unavailable(f"{self._owner} does not take the message; Apprise does not say why")
        return message.thread

    async def aclose(self) -> None:
        """Send nothing any more; calls that are under way end by themselves, or with the process."""
        self._closed = True

    async def _outcome(self, url: str, words: Mapping[str, object], level: Level) -> _Outcome:
        """Return what became of the call, Unavailable when it does not end in time."""
        given_up = threading.Event()
        try:
            async with asyncio.timeout(self._seconds):
                return await self._aside.call(partial(_call, url, words, level, given_up))
        except TimeoutError:
            pass
        finally:
            given_up.set()
        raise Unavailable(f"{self._owner} does not answer within {self._seconds:g} s")


def _call(url: str, words: Mapping[str, object], level: Level, given_up: threading.Event) -> _Outcome:
    """Call Apprise, in a thread; whatever it raises may have the address in it, and goes no further.

    Its first call loads all its plugins, which takes seconds on a slow machine: a message that nobody waits for any
    more, and that is sent again, does not go out then.
    """
    try:
        import apprise  # noqa: PLC0415 - an extra, and half a second of imports

        asset = apprise.AppriseAsset(service_timeout=0, storage_mode="memory")
        sinks = apprise.Apprise(asset=asset)
        if not sinks.add([url]) or len(sinks) != 1:
            return _Outcome(known=False)
        if given_up.is_set():
            return _Outcome()
        told = sinks.notify(
            title=str(words["title"]), body=str(words["body"]), notify_type=_TYPES[level], body_format="text"
        )
    except Exception:  # noqa: BLE001 - a hundred plugins raise what they like
        return _Outcome()
    return _Outcome(taken=bool(told))


def _demand_apprise(owner: str) -> None:
    if importlib.util.find_spec("apprise") is None:
        message = f"{owner} is of kind Apprise, which is not installed; install it with pip install 'rollout[apprise]'"
        raise ConfigurationError((Problem(field="kind", message=message),))


def _silence() -> None:
    """Let nothing be logged by Apprise, nor by what it calls in threads of ours."""
    logging.getLogger("apprise").disabled = True
    for name in _BELOW:
        logger = logging.getLogger(name)
        logger.removeFilter(_from_others)
        logger.addFilter(_from_others)


def _from_others(record: logging.LogRecord) -> bool:
    return record.threadName != THREAD

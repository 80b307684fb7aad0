"""What the API stands on: Protocols and the controller, joined by ``rollout.bootstrap`` and handed to every router."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rollout.controller.controller import Controller
from rollout.controller.switch import OperatorSwitch
from rollout.engine.observation import Cursor
from rollout.errors import NotOursError
from rollout.meters import Meters
from rollout.ports import Access, Clock, IntentStore, Journal, Key, RolloutStore
from rollout.settings.hooks import StartHook
from rollout.signals import NoticeDesk, SinkStanding


class NoSinks:
    """The desk of a service whose operator has set up no sinks."""

    def standings(self) -> tuple[SinkStanding, ...]:
        """Return none."""
        return ()

    def told(self, key: Key) -> tuple[Cursor, ...]:  # noqa: ARG002 - nobody is told of any
        """Return none."""
        return ()

    async def trial(self, sink: str, *, by: str) -> None:  # noqa: ARG002 - whoever asks
        """Refuse.

        Raises:
            NotOursError: there are no sinks.
        """
        raise NotOursError(f"there is no sink {sink}: the service was started without the setting sinks")


@dataclass(frozen=True, slots=True)
class Service:
    """One running service.

    ``runtime`` is its name (``envoy``). ``ready`` returns an empty text when requests can be served,
    else one sentence that says why not. ``switch`` stops all automatic failover, ``sinks`` answers for notifications.
    ``hooks`` may start attempts with signed calls.
    """

    store: RolloutStore
    intents: IntentStore
    journal: Journal
    controller: Controller
    access: Access
    clock: Clock
    meters: Meters
    runtime: str
    ready: Callable[[], str]
    switch: OperatorSwitch
    sinks: NoticeDesk = field(default_factory=NoSinks)
    hooks: tuple[StartHook, ...] = ()

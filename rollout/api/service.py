"""What the API stands on: Protocols and the controller, joined by ``rollout.bootstrap`` and handed to every router."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.controller.controller import Controller
from rollout.controller.switch import OperatorSwitch
from rollout.meters import Meters
from rollout.ports import Access, Clock, IntentStore, Journal, RolloutStore


@dataclass(frozen=True, slots=True)
class Service:
    """One running service.

    ``runtime`` is its name (``envoy``). ``ready`` returns an empty text when requests can be served,
    else one sentence that says why not. ``switch`` stops all automatic failover.
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

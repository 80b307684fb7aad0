"""The client of the API: what can be asked, and answers as the models of ``rollout.api``.

Called inside ``rollout.cli.running.ask``; ``rollout.cli.asking`` does the asking. A problem that the server tells
becomes ``ApiProblem``, a server that is not there ``ServerAway``. Knows nothing of the terminal.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from rollout.api.models import (
    Applied,
    CommandOutcome,
    CommandRequest,
    Deleted,
    Document,
    HistoryPage,
    Live,
    PolicyItem,
    PolicyList,
    RolloutPage,
    Summary,
    SwitchRequest,
    SwitchView,
    Version,
    WhoAmI,
)
from rollout.api.sink_models import SinkList, TrialView
from rollout.cli.asking import Asker, Call, Reply, new_id
from rollout.cli.failures import NotUnderstood

A = TypeVar("A", bound=BaseModel)

PREFIX = "/api/v1"
PAGE = 100
PAGE_OF_SUMMARIES = 500
COMMAND_WAIT_SECONDS = 30.0
"""The longest time for which the server itself waits for a command."""

LONGEST_TRIAL_SECONDS = 60.0
"""A sink may take as long."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which Rollouts a list has; an empty ``namespace`` stands for all."""

    namespace: str = ""
    phases: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    failover: tuple[str, ...] = ()

    def query(self) -> list[tuple[str, str]]:
        """Return the filters as a query."""
        namespaces = [("namespace", self.namespace)] if self.namespace else []
        phases, labels = [("phase", phase) for phase in self.phases], [("label", label) for label in self.labels]
        return [*namespaces, *phases, *(("failover", phase) for phase in self.failover), *labels]


class ApiClient(Asker):
    """Asks one server. To be used as an async context; every method may raise what ``ask`` raises."""

    # ------------------------------------------------------------ Rollouts

    async def page(self, filters: Filters, *, full: bool = False, after: str | None = None) -> RolloutPage:
        """Return one page of the list."""
        query = [*filters.query(), ("limit", str(PAGE if full else PAGE_OF_SUMMARIES))]
        query += [("full", "true")] if full else []
        query += [("continue", after)] if after is not None else []
        return _read(RolloutPage, await self.ask(Call("GET", f"{PREFIX}/rollouts", query, again=True)))

    async def summaries(self, filters: Filters) -> AsyncIterator[Summary]:
        """Give the summaries of all Rollouts that the filters let through."""
        after: str | None = None
        while True:
            page = await self.page(filters, after=after)
            for item in page.items:
                yield item if isinstance(item, Summary) else Summary.model_validate(item)
            if (after := page.next) is None:
                return

    async def resources(self, filters: Filters) -> AsyncIterator[Document]:
        """Give the whole resources of all Rollouts that the filters let through."""
        after: str | None = None
        while True:
            page = await self.page(filters, full=True, after=after)
            for item in page.items:
                yield item.model_dump(by_alias=True) if isinstance(item, Summary) else item
            if (after := page.next) is None:
                return

    async def rollout(self, namespace: str, name: str) -> Document:
        """Return the resource."""
        return _document(await self.ask(Call("GET", _path(namespace, name), again=True)))

    async def live(self, namespace: str, name: str) -> Live:
        """Return where it stands, with live numbers."""
        return _read(Live, await self.ask(Call("GET", f"{_path(namespace, name)}/live", again=True)))

    async def history(self, namespace: str, name: str, *, limit: int, before: int | None = None) -> HistoryPage:
        """Return transitions, newest first."""
        query = [("limit", str(limit)), *([("before", str(before))] if before is not None else [])]
        return _read(HistoryPage, await self.ask(Call("GET", f"{_path(namespace, name)}/history", query, again=True)))

    async def apply(self, key: tuple[str, str], document: bytes, query: Sequence[tuple[str, str]] = ()) -> Applied:
        """Make or change a Rollout; ``document`` is JSON."""
        call = Call("PUT", _path(*key), query, document, {"Content-Type": "application/json"})
        return _read(Applied, await self.ask(call))

    async def delete(self, namespace: str, name: str) -> Deleted:
        """Ask that a Rollout goes."""
        return _read(Deleted, await self.ask(Call("DELETE", _path(namespace, name))))

    # ------------------------------------------------------------ commands

    async def command(
        self, namespace: str, name: str, request: CommandRequest, *, wait_seconds: float = 5.0
    ) -> CommandOutcome:
        """Leave a command and wait for what becomes of it; an id is made up where there is none.

        Raises:
            ApiProblem: it was refused (409, with reason), or could not be left.
        """
        with_id = request if request.id else request.model_copy(update={"id": new_id()})
        wait = min(max(0.0, wait_seconds), COMMAND_WAIT_SECONDS)
        body = with_id.model_dump_json(by_alias=True, exclude_none=True).encode()
        call = Call(
            "POST",
            f"{_path(namespace, name)}/commands",
            [("wait", f"{wait:g}")],
            body,
            {"Content-Type": "application/json"},
            again=True,
            seconds=wait,
        )
        return _read(CommandOutcome, await self.ask(call))

    async def outcome(self, namespace: str, name: str, command_id: str) -> CommandOutcome:
        """Return what became of a command."""
        path = f"{_path(namespace, name)}/commands/{quote(command_id, safe='')}"
        return _read(CommandOutcome, await self.ask(Call("GET", path, again=True)))

    # ------------------------------------------------------------ policies

    async def policies(self) -> PolicyList:
        """Return all policies."""
        return _read(PolicyList, await self.ask(Call("GET", f"{PREFIX}/policies", again=True)))

    async def policy(self, namespace: str, name: str) -> PolicyItem:
        """Return a policy; an empty namespace stands for a ClusterRolloutPolicy."""
        return _read(PolicyItem, await self.ask(Call("GET", policy_path(namespace, name), again=True)))

    async def apply_policy(
        self, namespace: str, name: str, document: bytes, query: Sequence[tuple[str, str]] = ()
    ) -> Applied:
        """Make or change a policy; ``document`` is JSON."""
        headers = {"Content-Type": "application/json"}
        return _read(Applied, await self.ask(Call("PUT", policy_path(namespace, name), query, document, headers)))

    async def delete_policy(self, namespace: str, name: str) -> PolicyItem:
        """Take a policy away; return what it was."""
        return _read(PolicyItem, await self.ask(Call("DELETE", policy_path(namespace, name))))

    # ------------------------------------------------------------ the operator's switch

    async def switch(self) -> SwitchView:
        """Return whether all automatic failover is stopped."""
        return _read(SwitchView, await self.ask(Call("GET", f"{PREFIX}/failover", again=True)))

    async def turn_switch(self, request: SwitchRequest) -> SwitchView:
        """Stop all automatic failover, or let it be; return how it stands then."""
        body = request.model_dump_json(by_alias=True, exclude_none=True).encode()
        call = Call("PUT", f"{PREFIX}/failover", (), body, {"Content-Type": "application/json"}, again=True)
        return _read(SwitchView, await self.ask(call))

    # ------------------------------------------------------------ sinks

    async def sinks(self) -> SinkList:
        """Return how it goes with each sink."""
        return _read(SinkList, await self.ask(Call("GET", f"{PREFIX}/sinks", again=True)))

    async def test_sink(self, sink: str) -> TrialView:
        """Have a sink sent a message for trial.

        Raises:
            ApiProblem: it was not taken (502, 503), or there is no such sink (404).
        """
        path = f"{PREFIX}/sinks/{quote(sink, safe='')}/test"
        return _read(TrialView, await self.ask(Call("POST", path, seconds=LONGEST_TRIAL_SECONDS)))

    # ------------------------------------------------------------ the service

    async def version(self) -> Version:
        """Return what answers."""
        return _read(Version, await self.ask(Call("GET", f"{PREFIX}/version", again=True)))

    async def whoami(self) -> WhoAmI:
        """Return whose token it is."""
        return _read(WhoAmI, await self.ask(Call("GET", f"{PREFIX}/whoami", again=True)))


def policy_path(namespace: str, name: str) -> str:
    """Return the path of a policy; an empty namespace stands for a ClusterRolloutPolicy."""
    if not namespace:
        return f"{PREFIX}/cluster-policies/{quote(name, safe='')}"
    return f"{PREFIX}/policies/{quote(namespace, safe='')}/{quote(name, safe='')}"


def _path(namespace: str, name: str) -> str:
    return f"{PREFIX}/rollouts/{quote(namespace, safe='')}/{quote(name, safe='')}"


def _read(model: type[A], reply: Reply) -> A:
    try:
        return model.model_validate_json(reply.content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise NotUnderstood(
            f"the answer is no {model.__name__} ({where}: {first['msg']}); is it rollout that answers?"
        ) from error


def _document(reply: Reply) -> Document:
    try:
        value = json.loads(reply.content)
    except ValueError as error:
        raise NotUnderstood("the answer is no JSON; is it rollout that answers?") from error
    if not isinstance(value, dict):
        raise NotUnderstood("the answer is no resource; is it rollout that answers?")
    return value

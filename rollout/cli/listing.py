"""Asks for what `rollout get` shows, and writes it. Called by ``rollout.cli.get`` with what the flags say."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import typer

from rollout.api.models import Document, PolicyItem, Summary
from rollout.cli import rows, tables
from rollout.cli.arguments import Shape
from rollout.cli.client import ApiClient, Filters
from rollout.cli.failures import ApiProblem
from rollout.cli.outputs import ANSI, is_coloured, note, write
from rollout.cli.stream import ALL_EVENTS, Happened, Missed, Opened, Told, follow, path_of
from rollout.cli.tables import Column
from rollout.cli.texts import safe
from rollout.errors import NotOursError, RolloutError

GONE = 404


@dataclass(frozen=True, slots=True)
class Listing:
    """What is to be shown: the Rollouts with these keys (none: all that the filters let through), and how."""

    keys: tuple[tuple[str, str], ...]
    filters: Filters
    output: str

    async def rollouts(self, api: ApiClient) -> None:
        """Show the Rollouts, and warn where failover is stopped."""
        if self.output in {"json", "yaml"}:
            self._write([document async for document in self._documents(api)], alone=len(self.keys) == 1)
        else:
            self._show([summary async for summary in self._summaries(api)])
        await warn_of_switch(api)

    async def watched(self, api: ApiClient) -> None:
        """Show the Rollouts, then a row for each that changes, until interrupted."""
        await warn_of_switch(api)
        path = path_of(*self.keys[0]) if len(self.keys) == 1 else ALL_EVENTS
        query = [("namespace", self.filters.namespace)] if self.filters.namespace and not self.keys else []
        table = _Growing(self._columns)
        async with aclosing(follow(api, path, query, lost=lambda why: note(f"{why}; trying again"))) as told:
            async for each in told:
                table.add([self._row(summary) for summary in await self._told(api, each)])

    async def _told(self, api: ApiClient, told: Told) -> Sequence[Summary]:
        """Return the Rollouts that may have changed: all once the stream is open, since much may have happened."""
        match told:
            case Opened():
                return [summary async for summary in self._summaries(api)]
            case Missed():
                note("some transitions are no longer in the journal; they are not shown")
                return [summary async for summary in self._summaries(api)]
            case Happened():
                key = (told.event.namespace, told.event.name)
                return await self._changed(api, key) if not self.keys or key in self.keys else []

    async def policies(self, api: ApiClient) -> None:
        """Show the policies, of one namespace or all, with those of the cluster."""
        names = {name for _, name in self.keys}
        found = [item for item in (await api.policies()).items if self._is_wanted(item, names)]
        missing = sorted(names - {item.name for item in found})
        if missing:
            raise NotOursError(
                f"there is no policy {', '.join(missing)} in namespace {self.filters.namespace or 'any'}"
            )
        if self.output == "name":
            typer.echo("".join(f"{name}\n" for name in rows.names_of(found)), nl=False)
        elif self.output in {"json", "yaml"}:
            self._write([item.resource for item in found], alone=len(names) == 1)
        elif found:
            typer.echo("\n".join(_lines(rows.POLICIES, [rows.policy_row(item) for item in found])))
        else:
            note("No policies found.")

    def _is_wanted(self, item: PolicyItem, names: set[str]) -> bool:
        here = not item.namespace or self.filters.namespace in {"", item.namespace}
        return here and (not names or item.name in names)

    @property
    def _columns(self) -> Sequence[Column]:
        return rows.WIDE if self.output == "wide" else rows.COLUMNS

    async def _documents(self, api: ApiClient) -> AsyncIterator[Document]:
        if not self.keys:
            async for document in api.resources(self.filters):
                yield document
        for key in self.keys:
            yield await api.rollout(*key)

    async def _summaries(self, api: ApiClient) -> AsyncIterator[Summary]:
        if not self.keys:
            async for summary in api.summaries(self.filters):
                yield summary
        for key in self.keys:
            yield rows.summary_of(await api.rollout(*key), await api.live(*key))

    async def _changed(self, api: ApiClient, key: tuple[str, str]) -> list[Summary]:
        """Return the Rollout as it is now, if it is there and the filters let it through."""
        try:
            summary = rows.summary_of(await api.rollout(*key), await api.live(*key))
        except ApiProblem as problem:
            if problem.status != GONE:
                raise
            return []
        labels = {f"{name}={value}" for name, value in summary.labels.items()}
        in_phase = not self.filters.phases or summary.phase in self.filters.phases
        in_failover = not self.filters.failover or summary.failover in self.filters.failover
        return [summary] if in_phase and in_failover and set(self.filters.labels) <= labels else []

    def _row(self, summary: Summary) -> list[str]:
        return rows.row_of(summary, now=time.time(), wide=self.output == "wide")

    def _show(self, summaries: Sequence[Summary]) -> None:
        if self.output == "name":
            typer.echo("".join(f"{name}\n" for name in rows.names_of(summaries)), nl=False)
        elif summaries:
            typer.echo("\n".join(_lines(self._columns, [self._row(summary) for summary in summaries])))
        else:
            where = f" in namespace {self.filters.namespace}" if self.filters.namespace else ""
            note(f"No Rollouts found{where}.")

    def _write(self, documents: Sequence[Mapping[str, object]], *, alone: bool) -> None:
        """Write one resource as it is, several as a List, which `rollout apply` takes again."""
        several = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        write(documents[0] if alone else several, Shape(self.output))


async def warn_of_switch(api: ApiClient) -> None:
    """Warn where all automatic failover is stopped: who looks at Rollouts has to know."""
    try:
        view = await api.switch()
    except RolloutError as error:
        if not isinstance(error, ApiProblem) or error.status != GONE:  # gone: a server from before there was a switch
            note(f"warning: nobody could tell whether failover is stopped: {safe(str(error))}")
        return
    if view.stopped:
        note(f"warning: {safe(view.message)}")


class _Growing:
    """A table to which rows are added: each column stays at least as wide as it was."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._widest: list[list[str]] = []
        self._last: dict[tuple[str, ...], list[str]] = {}

    def add(self, added: Sequence[Sequence[str]]) -> None:
        """Write the rows that are not as they were written last; the age alone is no change."""
        fresh = [list(row) for row in added if self._is_new(list(row))]
        if not fresh:
            return
        before = len(self._widest)
        told = _lines(self._columns, [*self._widest, *fresh])
        typer.echo("\n".join(told[before + 1 if before else 0 :]))
        self._widest = [[max(column, key=len) for column in zip(*self._widest, *fresh, strict=True)]]

    def _is_new(self, row: list[str]) -> bool:
        key, without_age = tuple(row[:2]), [*row[: rows.AGE_AT], *row[rows.AGE_AT + 1 :]]
        known = self._last.get(key) == without_age
        self._last[key] = without_age
        return not known


def _lines(columns: Sequence[Column], found: Sequence[Sequence[str]]) -> list[str]:
    """Return the table, cut to the terminal where standard output is one, in colours where it shows them."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    colours = rows.colours_of(found, ANSI) if columns is not rows.POLICIES and is_coloured(sys.stdout) else None
    return tables.lines(columns, found, width=width, colours=colours)

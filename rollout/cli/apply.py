"""`rollout apply`: makes or changes Rollouts and policies from manifests, after checking all of them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rollout.cli.arguments import Reason, Shape, seconds_of
from rollout.cli.connection import Connection, asks_server
from rollout.cli.running import Code, ask, code_of, sentences

if TYPE_CHECKING:
    from rollout.api.models import Applied
    from rollout.cli.client import ApiClient
    from rollout.cli.endings import Ending
    from rollout.cli.sending import Sent
    from rollout.errors import Problem, RolloutError

Outcome = dict[str, Any]
Generations = dict[tuple[str, str], tuple[int, int | None]]
"""Of each Rollout the generation that was applied, and the last attempt before it (None: a start came with it)."""

TAKEN_UP_SECONDS = 0.2
"""How often is asked whether the controller has taken a manifest up."""

MOST_AT_ONCE = 4
"""So many Rollouts are watched at once; whatever ended before its turn is told then."""


@dataclass(slots=True)
class Applying:
    """One run of the command: what is asked for, what came of it, and with what it will end."""

    dry_run: bool
    start: str | None
    reason: str | None
    output: Shape
    outcomes: list[Outcome] = field(default_factory=list)
    code: Code = Code.DONE
    generations: Generations = field(default_factory=dict)

    async def send(self, api: ApiClient, sent: list[Sent]) -> None:
        """Send policies, then Rollouts; where a policy could not be applied, no Rollout is sent."""
        from rollout.cli.outputs import note
        from rollout.cli.sending import ROLLOUT

        for at, each in enumerate(sent):
            if each.kind == ROLLOUT and self.code is not Code.DONE and sent[at - 1].kind != ROLLOUT:
                note(f"error: {len(sent) - at} Rollouts were not sent, since a policy could not be applied")
                return
            await self._send_one(api, each)

    async def _send_one(self, api: ApiClient, each: Sent) -> None:
        from rollout.errors import RolloutError

        query = [("dryRun", "true")] if self.dry_run else []
        try:
            applied = await each.apply(api, [*query, *self._start()])
        except RolloutError as error:
            self._fail(each, error)
        else:
            self._tell(each, applied)

    def _start(self) -> list[tuple[str, str]]:
        from rollout.cli.asking import new_id

        if self.start is None:
            return []
        reason = [("reason", self.reason)] if self.reason is not None else []
        return [("start", self.start), ("commandId", new_id()), *reason]

    def _fail(self, each: Sent, error: RolloutError) -> None:
        from rollout.cli.failures import ApiProblem
        from rollout.cli.lint import as_line
        from rollout.cli.outputs import note

        self.code = max(self.code, code_of(error))
        if isinstance(error, ApiProblem) and error.problems:
            for problem in error.problems:
                note(as_line(each.placed(problem)))
        else:
            note(f"error: {each.place}: {each.label}: {'; '.join(sentences(error))}")

    def _tell(self, each: Sent, applied: Applied) -> None:
        from rollout.cli.outputs import note
        from rollout.cli.texts import safe

        if each.kind == "Rollout":
            generation = applied.resource.get("metadata", {}).get("generation", 0)
            began = None if self.start else int(applied.resource.get("status", {}).get("attempt", 0))
            self.generations[each.namespace, each.name] = (int(generation), began)
        for warning in applied.warnings:
            note(safe(f"{each.place}: warning: {warning}"))
        command = applied.command
        if command is not None and command.state == "refused":
            self.code = max(self.code, Code.REFUSED)
            note(safe(f"error: {each.label}: {command.message}"))
        if self.output is not Shape.TEXT:
            place = {"kind": each.kind, "namespace": each.namespace, "name": each.name, "source": each.source}
            self.outcomes.append({**place, **applied.model_dump(mode="json", by_alias=True)})
            return
        started = f", {command.message}" if command is not None and command.state != "refused" else ""
        typer.echo(safe(f"{each.label}: {applied.outcome}{' (dry run)' if applied.dry_run else ''}{started}"))


@asks_server
def apply(
    connection: Connection,
    *,
    file: Annotated[
        list[str],
        typer.Option(
            "--file",
            "-f",
            help="A manifest, a folder of manifests, or - for standard input; may be given again.",
            show_default=False,
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; the server says what it would do.")
    ] = False,
    start: Annotated[
        str | None, typer.Option(help="Then start an attempt for this revision.", show_default=False)
    ] = None,
    reason: Reason = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Then wait as `rollout watch` does, and end with its exit code.")
    ] = False,
    timeout: Annotated[str, typer.Option(help="With --wait: how long at most, such as 90s or 1h.")] = "30m",
    output: Annotated[
        Shape, typer.Option("--output", "-o", help="A line each, or all answers as JSON or YAML.")
    ] = Shape.TEXT,
) -> None:
    """Make or change Rollouts and policies. Everything is checked before anything is sent.

    Policies go before Rollouts. A manifest without a namespace is for the one that the flags, the environment or the
    context name. Exit codes: 0 all is applied, 2 something is wrong or refused, 1 it could not be sent.
    """
    if dry_run and wait:
        raise typer.BadParameter("does not go with --dry-run", param_hint="--wait")
    if reason is not None and start is None:
        raise typer.BadParameter("is the reason of --start, which is missing", param_hint="--reason")
    seconds = seconds_of(timeout, "--timeout")
    sent = _checked(file, connection)
    applying = Applying(dry_run, start, reason, output)
    ask(connection, lambda api: applying.send(api, sent))
    if output is not Shape.TEXT:
        from rollout.cli.outputs import write

        write({"items": applying.outcomes}, output)
    if wait and applying.code is Code.DONE:
        raise typer.Exit(_wait(connection, applying, seconds))
    raise typer.Exit(applying.code)


def _checked(files: list[str], connection: Connection) -> list[Sent]:
    """Return what is to be sent, if nothing is wrong with it."""
    from rollout.cli.lint import as_line, texts_of
    from rollout.cli.outputs import note
    from rollout.cli.sending import problems_in, sent_from

    texts, unread = texts_of(files)
    problems: tuple[Problem, ...] = (*unread, *problems_in(texts))
    for problem in problems:
        note(as_line(problem))
    if any(not problem.warning for problem in problems):
        note("error: nothing was sent")
        raise typer.Exit(Code.REFUSED)
    return sent_from(texts, namespace=connection.namespace)


def _wait(connection: Connection, applying: Applying, seconds: float) -> Code:
    """Wait for all Rollouts at once; return the worst exit code."""
    from rollout.cli.texts import safe

    beside = applying.output is not Shape.TEXT
    endings = ask(connection, lambda api: _endings(api, applying.generations, seconds, beside=beside))
    for (namespace, name), ending in zip(applying.generations, endings, strict=True):
        typer.echo(safe(f"{namespace}/{name}: {ending.sentence}"), err=beside)
    return max((ending.code for ending in endings), default=Code.DONE)


async def _endings(api: ApiClient, generations: Generations, seconds: float, *, beside: bool) -> list[Ending]:
    until, few = time.monotonic() + seconds, asyncio.Semaphore(MOST_AT_ONCE)

    async def ending(key: tuple[str, str], taken: tuple[int, int | None]) -> Ending:
        async with few:
            return await _ending(api, key, taken, until, beside=beside)

    return await asyncio.gather(*(ending(key, taken) for key, taken in generations.items()))


async def _ending(
    api: ApiClient, key: tuple[str, str], taken: tuple[int, int | None], until: float, *, beside: bool
) -> Ending:
    """Return how the attempt ended that runs once the controller has taken up the manifest, if one does."""
    from rollout.cli.endings import Awaited, Ending
    from rollout.cli.watch_lines import Lines
    from rollout.cli.watching import watch_until_end

    generation, before = taken
    while not await _is_taken_up(api, key, generation):
        if time.monotonic() > until:
            return Ending(Code.TIMED_OUT, "The controller has not taken it up yet.")
        await asyncio.sleep(TAKEN_UP_SECONDS)
    return await watch_until_end(
        api,
        key,
        Lines(*key, beside=beside),
        awaited=lambda live: Awaited(live.attempt, after=before),
        timeout_seconds=until - time.monotonic(),
    )


async def _is_taken_up(api: ApiClient, key: tuple[str, str], generation: int) -> bool:
    """Return whether the controller has seen the manifest; False while it cannot be asked."""
    from rollout.cli.watching import is_passing
    from rollout.errors import RolloutError

    try:
        status: dict[str, Any] = (await api.rollout(*key)).get("status", {})
    except RolloutError as error:
        if not is_passing(error):
            raise
        return False
    return bool(status.get("observedGeneration", 0) >= generation)

"""`rollout lint`: reads manifests and says everything that is wrong with them, one line per problem.

The only part of linting that knows files and the terminal; what is wrong is decided by
``rollout.spec.checking``. Registered as a command by ``rollout.cli.main``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rollout.controller.zones import zone_problems_in
from rollout.errors import ConfigurationError, Problem
from rollout.spec.checking import Checked, check
from rollout.spec.fields import printable
from rollout.spec.sink_advice import sink_warnings
from rollout.spec.text import MOST_BYTES

SUFFIXES = (".yaml", ".yml", ".json")
"""Files of a folder that are read."""

STDIN = "-"


class Output(StrEnum):
    """How problems are written."""

    TABLE = "table"
    JSON = "json"


def lint(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Manifests, folders of manifests (*.yaml, *.yml, *.json), or - for standard input."
        ),
    ],
    *,
    rps: Annotated[
        float | None, typer.Option(help="Requests per second of all backends together: warn of plans that get too few.")
    ] = None,
    sinks: Annotated[
        Path | None,
        typer.Option(help="File of sinks: check it, too, and warn of sinks that are not in it.", show_default=False),
    ] = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="One line per problem, or one JSON object.")
    ] = Output.TABLE,
) -> None:
    """Check Rollouts and policies: every problem at once, with file, line, field, what was given, what is allowed."""
    if rps is not None and not 0 < rps < float("inf"):
        raise typer.BadParameter("must be a number above 0", param_hint="--rps")
    texts, unread = texts_of(files)
    known, wrong = _sinks_of(sinks) if sinks is not None else (None, ())

    def also(document: Mapping[str, object]) -> Iterator[Problem]:
        yield from zone_problems_in(document)
        yield from sink_warnings(document, known) if known is not None else ()

    checked = check(texts, requests_per_second=rps, also=also)
    problems = (*wrong, *unread, *checked.problems)
    if output is Output.JSON:
        typer.echo(as_json(problems, checked))
    else:
        for problem in problems:
            typer.echo(as_line(problem))
        typer.echo(_summary(len(texts) + len(unread), problems, checked), err=True)
    if any(not problem.warning for problem in problems):
        raise typer.Exit(1)


def _sinks_of(file: Path) -> tuple[frozenset[str] | None, tuple[Problem, ...]]:
    """Return the names of the sinks in the file, None where it is wrong, and what is wrong with it."""
    from rollout.bootstrap.telling import read_sinks  # imports much that other runs of lint do without

    try:
        return frozenset(sink.name for sink in read_sinks(file).sinks), ()
    except ConfigurationError as error:
        return None, error.problems


def texts_of(names: Sequence[str]) -> tuple[list[tuple[str, str]], list[Problem]]:
    """Return (name, text) of every manifest, and the problems of those that are no text.

    Raises:
        typer.BadParameter: a file does not exist, cannot be opened, or a folder has no manifest.
    """
    texts: list[tuple[str, str]] = []
    unread: list[Problem] = []
    for name, content in _contents(dict.fromkeys(names)):
        try:
            texts.append((name, content.decode("utf-8-sig")))
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            given = f"byte 0x{content[error.start]:02x}"
            unread.append(Problem("", "is not text", given=given, allowed="UTF-8", source=name, line=line))
    return texts, unread


def _contents(names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and bytes of every manifest that ``names`` stand for; no more than lint would take anyway."""
    seen: set[Path] = set()
    for name in names:
        if name == STDIN:
            yield "<stdin>", sys.stdin.buffer.read(MOST_BYTES + 1)
            continue
        for path in _paths(Path(name)):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield str(path), _bytes_of(path)


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise typer.BadParameter(f"{printable(str(path))}: {reason}", param_hint="FILES") from error


def _paths(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    if not found:
        raise typer.BadParameter(f"{printable(str(path))}: no {', '.join(SUFFIXES)} in this folder", param_hint="FILES")
    return found


def as_line(problem: Problem) -> str:
    """Return ``problem`` as ``file:line: field: message (given: ..; allowed: ..)``, safe for a terminal."""
    parts = [f"{problem.source}:{problem.line}", "warning" if problem.warning else "", problem.field, problem.message]
    details = [("given", problem.given), ("allowed", problem.allowed)]
    detail = "; ".join(f"{name}: {text}" for name, text in details if text)
    line = f"{': '.join(part for part in parts if part)} ({detail})"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


def as_json(problems: Iterable[Problem], checked: Checked) -> str:
    """Return all problems as one JSON object with the counts of what was read."""
    listed = [
        {
            "file": problem.source,
            "line": problem.line,
            "field": problem.field,
            "message": problem.message,
            "given": problem.given,
            "allowed": problem.allowed,
            "severity": "warning" if problem.warning else "error",
        }
        for problem in problems
    ]
    errors = sum(problem["severity"] == "error" for problem in listed)
    counts = {
        "errors": errors,
        "warnings": len(listed) - errors,
        "rollouts": checked.rollouts,
        "policies": checked.policies,
    }
    return json.dumps({"problems": listed, **counts}, indent=2)


def _summary(files: int, problems: Sequence[Problem], checked: Checked) -> str:
    warnings = sum(problem.warning for problem in problems)
    read = f"{_count(files, 'file')}, {_count(checked.rollouts, 'Rollout')}, {_count(checked.policies, 'policy')}"
    return f"{read}: {_count(len(problems) - warnings, 'error')}, {_count(warnings, 'warning')}"


def _count(number: int, thing: str) -> str:
    plural = f"{thing.removesuffix('y')}ies" if thing.endswith("y") else f"{thing}s"
    return f"{number} {thing if number == 1 else plural}"

"""`rollout rehearse`: what a plan would do, seen before production, in a second or two.

Reads the file, lets ``rollout.rehearsal`` run it, writes what came of it. Registered as a command by
``rollout.cli.main``.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import structlog
import typer

from rollout.cli.lint import as_line
from rollout.errors import ConfigurationError
from rollout.rehearsal.reading import read_file
from rollout.rehearsal.rehearse import rehearse as play
from rollout.rehearsal.report import console_for, told_on


class Output(StrEnum):
    """How the outcome is written."""

    TEXT = "text"
    JSON = "json"


def rehearse(
    file: Annotated[Path, typer.Argument(help="The rehearsal: a Rollout, the world around it, and what happens.")],
    *,
    output: Annotated[Output, typer.Option("--output", "-o", help="A readable timeline, or JSON.")] = Output.TEXT,
    seed: Annotated[int | None, typer.Option(min=0, help="Draw chance from this seed instead of the file's.")] = None,
) -> None:
    """Run a Rollout through the controller in simulated time: same file and seed, same outcome."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        rehearsal = read_file(file)
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(as_line(problem), err=True)
        raise typer.Exit(1) from None
    if seed is not None:
        rehearsal = replace(rehearsal, scenario=rehearsal.scenario.model_copy(update={"seed": seed}))
    outcome = play(rehearsal)
    is_json = output is Output.JSON
    sys.stdout.write(outcome.to_json() if is_json else told_on(console_for(sys.stdout), rehearsal, outcome))

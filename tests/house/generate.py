"""The files of this tree that are written by a program, and the program that writes them.

`make docs` writes them; `tests/house/test_generated.py` says which is stale. To add one, add a row to `GENERATED`: the
path from the root of the tree, and a function that returns the whole text. The function must return the same text each
time it is called.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import typer

from rollout.analysis.reasons import MEANINGS
from rollout.analysis.reasons import Reason as Verdict
from rollout.cli.crd import documents
from rollout.cli.main import COMMANDS, load
from rollout.engine.reasons import MEANING, Reason, Refusal
from rollout.engine.table import LEGAL, Phase, diagram
from rollout.meter_table import TABLE, Kind, Metric
from rollout.notify.sinks import Sinks
from rollout.notify.templates import PLACEHOLDERS
from rollout.settings.rows import CONFIG_VARIABLE, SETTINGS
from rollout.spec.crd import GROUP, KINDS
from rollout.spec.reference import model_reference
from tests.house.deployed import deployed
from tests.house.reference import reference
from tests.house.stages import EXPLANATION, explanation, stages

ROOT = Path(__file__).parents[2]
NOTE = "<!-- Written by `make docs`; do not edit. -->"


def phases() -> str:
    """Return the page that draws the transition table, and says which command is legal where and what reasons mean."""
    return (
        f"{NOTE}\n\n# Phases, commands and reasons\n\n"
        "Every change of phase that there can be: the controller looks each up in this table and knows no other.\n\n"
        f"```mermaid\n{diagram()}```\n\n"
        "## Which command is legal where\n\n"
        "A command that is not legal changes nothing, and is answered why. In `Invalid` an abort needs an attempt\n"
        "underneath; while the roles are unknown only `adopt` is taken, and while `spec.suspend` is true none.\n\n"
        f"{_legality()}\n"
        f"{_of_failover()}\n\n"
        "## Reasons\n\nThe same word stands in status, condition, transition and log.\n\n"
        f"{_meanings({reason: MEANING[reason] for reason in Reason})}\n"
        f"### Of the judge\n\n{_meanings(MEANINGS)}\n"
        "### Of failover\n\n"
        "While failover is not `Normal`, the reason is failover's: they have [a page of their own](failover.md).\n\n"
        "### Of refused commands\n\n"
        f"{_meanings({reason: MEANING[reason] for reason in Refusal})}"
    )


def _legality() -> str:
    rows = ["| command |" + "".join(f" {phase} |" for phase in Phase), "|---|" + "---|" * len(Phase)]
    for action, phases_of in LEGAL.items():
        cells = ["yes" if phase in phases_of else "" for phase in Phase]
        if phases_of:
            rows.append(f"| `{action}` |" + "".join(f" {cell} |" if cell else " |" for cell in cells))
    return "\n".join(rows) + "\n"


def _of_failover() -> str:
    names = ", ".join(f"`{action}`" for action, phases_of in LEGAL.items() if not phases_of)
    return (
        f"In every phase, by [the table of failover](failover.md): {names},\nand `approve` with a failover's number. "
        "While failover is not `Normal`, `start`, `retry`, `undo`, `promote` and\n`skip` are refused."
    )


def _meanings(meanings: Mapping[Reason, str] | Mapping[Refusal, str] | Mapping[Verdict, str]) -> str:
    rows = "".join(f"| `{reason}` | {meaning} |\n" for reason, meaning in meanings.items())
    return f"| reason | what it means |\n|---|---|\n{rows}"


def command_line() -> str:
    """Return the page with the help of every command, as it is printed."""
    parts = [f"{NOTE}\n\n# The command line\n\n`rollout COMMAND --help` prints the same.\n"]
    for name, (_, sentence) in COMMANDS.items():
        parts.append(f"## rollout {name}\n\n{sentence}\n\n{_usage(name, load(name))}")
        for below, command in getattr(load(name), "commands", {}).items():
            parts.append(f"### rollout {name} {below}\n\n{_usage(f'{name} {below}', command)}")
    return "\n".join(parts)


def _usage(name: str, command: Any) -> str:  # noqa: ANN401 - a click command
    usage = command.get_help(typer.Context(command, info_name=f"rollout {name}", terminal_width=100))
    return f"```text\n{usage.strip()}\n```\n"


def configuration() -> str:
    """Return the page with every setting of serve: its names, how it is written, its default, what it means."""
    rows = "".join(
        f"| `{row.name}` | `{row.flag}` | `{row.variable}` | {row.allowed} | {row.default or 'none'} "
        f"| {row.meaning.replace('``', '`')} |\n"
        for row in SETTINGS
    )
    return (
        f"{NOTE}\n\n# Settings of rollout serve\n\n"
        "A flag counts more than a variable, a variable more than the file, the file more than the default.\n"
        f"`--config FILE` or `{CONFIG_VARIABLE}` names the file: TOML, YAML or JSON by its suffix, flat, with the\n"
        "names of the first column. `rollout config` takes the flags of serve, and prints what holds and where it\n"
        "comes from.\n\n"
        "- Durations are text with a unit (`10s`). Paths are seen from the folder in which the command is started.\n"
        "- Where a flag may be given again, a file has a list; a variable has paths with `:` between them, and hosts\n"
        "  with a comma or space. An empty variable is as none.\n"
        "- What is wrong is told at once, each with the flag, the variable, or the file and line, and ends the\n"
        "  command with code 2. An unknown name in the file is wrong; an unknown variable that begins with\n"
        "  `ROLLOUT_` is warned of.\n"
        "- Secrets are no settings: a setting names a file. A password in a URL is hidden wherever it is shown.\n\n"
        f"| name | flag | variable | allowed | default | meaning |\n|---|---|---|---|---|---|\n{rows}"
    )


def sinks() -> str:
    """Return the page with every field of the file of sinks, and the placeholders of templates."""
    placeholders = ", ".join(f"`{name}`" for name in PLACEHOLDERS)
    return (
        f"{NOTE}\n\n# The file of sinks\n\n"
        "The setting `sinks` of `rollout serve` names it: YAML or JSON, at most 1 MiB, read once when the service\n"
        "starts. What is wrong is told at once, each with file, line and field. `rollout lint --sinks FILE`\n"
        "checks it, and `rollout notify test SINK --sinks FILE` tries a sink of it.\n\n"
        "- An address of a sink is a secret: whoever has it can write there. Let `urlFile` name a file with it,\n"
        "  or keep this file as a secret. Files are read anew for each message, so that they may be renewed.\n"
        "- Exactly one of `url` and `urlFile` is needed. Kind `SlackBot` needs `tokenFile` and `channel`, and an\n"
        "  address only where Slack's API has another one. `secretFile` is for kind `CloudEvents`.\n"
        "- `on` and `except` take reasons ([all of them](phases.md#reasons), [those of failover](failover.md)),\n"
        "  and the phases that something goes into, such as `Aborted` or `FailedOver`.\n"
        f"- Placeholders of templates, as `{{{{ reason }}}}`: {placeholders}. `at` is RFC 3339.\n\n"
        "How to use it: [tell people](../how-to/notify.md). What is promised:\n"
        "[notifications](../explanation/notifications.md).\n\n"
        f"{model_reference(Sinks, 'Sinks')}"
    )


def metrics() -> str:
    """Return the page that says what each of the service's own metrics means."""
    rows = "".join(
        f"| `{_full_name(row)}` | {row.kind} | {', '.join(f'`{label}`' for label in row.labels)} | {row.meaning} |"
        f" {row.wrong} |\n"
        for row in TABLE
    )
    return (
        f"{NOTE}\n\n# Metrics of the service itself\n\n"
        "`GET /metrics`, in the text format of Prometheus or OpenMetrics, with the token of a viewer. A Rollout that\n"
        "is gone has no series; one at rest has a few, one with an attempt under way has all. A histogram has the\n"
        "usual `_bucket`, `_sum` and `_count`. Beside these come `process_*` and `python_*` of the client library.\n\n"
        f"| metric | kind | labels | meaning | when it looks wrong |\n|---|---|---|---|---|\n{rows}"
    )


def _full_name(row: Metric) -> str:
    return f"{row.name}_total" if row.kind is Kind.COUNTER else row.name


def definition(name: str) -> str:
    """Return a custom resource definition as `rollout crd` prints it."""
    return f"# Written by `make docs`; do not edit.\n{documents()[name]}"


GENERATED: tuple[tuple[str, Callable[[], str]], ...] = (
    ("docs/reference/phases.md", phases),
    ("docs/reference/failover.md", lambda: stages(NOTE, ROOT)),
    (EXPLANATION, lambda: explanation(ROOT)),
    ("docs/reference/cli.md", command_line),
    ("docs/reference/api.md", lambda: reference(NOTE)),
    ("docs/reference/metrics.md", metrics),
    ("docs/reference/configuration.md", configuration),
    ("docs/reference/sinks.md", sinks),
    *((f"deploy/crds/{GROUP}_{kind.plural}.yaml", partial(definition, kind.name)) for kind in KINDS),
    *deployed(tuple(f"{GROUP}_{kind.plural}.yaml" for kind in KINDS)),
)


def main() -> None:
    """Write every generated file that is not as it should be, and say which."""
    for path, text in GENERATED:
        file, want = ROOT / path, text()
        if file.exists() and file.read_text(encoding="utf-8") == want:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(want, encoding="utf-8")
        sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()

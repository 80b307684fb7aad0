"""The files of this tree that are written by a program, and the program that writes them.

`make docs` writes them; `tests/house/test_generated.py` says which is stale. To add one, add a row to `GENERATED`: the
path from the root of the tree, and a function that returns the whole text. The function must return the same text each
time it is called.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from rollout.cli.main import COMMANDS, load
from rollout.engine.table import diagram

ROOT = Path(__file__).parents[2]
NOTE = "<!-- Written by `make docs`; do not edit. -->"


def phases() -> str:
    """Return the page that draws the transition table."""
    return (
        f"{NOTE}\n\n# Phases and transitions\n\n"
        "Every change of phase that there can be: the controller looks each up in this table and knows no other.\n\n"
        f"```mermaid\n{diagram()}```\n"
    )


def command_line() -> str:
    """Return the page with the help of every command, as it is printed."""
    parts = [f"{NOTE}\n\n# The command line\n\n`rollout COMMAND --help` prints the same.\n"]
    for name, (_, sentence) in COMMANDS.items():
        command = load(name)
        usage = command.get_help(typer.Context(command, info_name=f"rollout {name}", terminal_width=100))
        parts.append(f"## rollout {name}\n\n{sentence}\n\n```text\n{usage.strip()}\n```\n")
    return "\n".join(parts)


GENERATED: tuple[tuple[str, Callable[[], str]], ...] = (
    ("docs/reference/phases.md", phases),
    ("docs/reference/cli.md", command_line),
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

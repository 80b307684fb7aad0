"""`rollout context`: servers under names, so that no command has to be told. The file is ``rollout.cli.contexts``'s."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer

from rollout.cli.arguments import Shape
from rollout.cli.contexts import (
    NAME,
    NAME_ALLOWED,
    SERVER_ALLOWED,
    TOKEN_ALLOWED,
    Context,
    Contexts,
    contexts_file,
    is_token,
    read_contexts,
    server_problem,
    shown,
    write_contexts,
)
from rollout.errors import ConfigurationError

P = ParamSpec("P")
MASK = "(hidden)"
MOST_TOKEN = 8192

app = typer.Typer(
    help="Servers under names. Kept in $ROLLOUT_CONFIG, else ~/.config/rollout/config.toml.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _names(incomplete: str) -> list[str]:
    from rollout.cli.completion import context_names

    return context_names(incomplete)


ContextName = Annotated[str, typer.Argument(help="The context.", autocompletion=_names, show_default=False)]
Written = Annotated[Shape, typer.Option("--output", "-o", help="Lines, or JSON or YAML.")]


def _told(command: Callable[P, None]) -> Callable[P, None]:
    """Turn what is wrong with the file into sentences and exit code 2."""

    @wraps(command)
    def telling(*args: P.args, **kwargs: P.kwargs) -> None:
        from rollout.cli.running import fail

        try:
            command(*args, **kwargs)
        except ConfigurationError as error:
            raise fail(error) from None

    return telling


def _file() -> tuple[Path, Contexts]:
    path = contexts_file(os.environ)
    return path, read_contexts(path)


@app.command("list")
@_told
def list_contexts(*, output: Written = Shape.TEXT) -> None:
    """List the contexts; a star marks the current one."""
    from rollout.cli.outputs import note, write
    from rollout.cli.tables import Column, lines

    path, contexts = _file()
    if output is not Shape.TEXT:
        entries = {name: _shown(context) for name, context in contexts.contexts.items()}
        write({"current": contexts.current, "contexts": entries}, output)
        return
    if not contexts.contexts:
        note(f"No context is set in {path}.")
        return
    columns = [Column(title) for title in ("CURRENT", "NAME", "SERVER", "NAMESPACE")]
    rows = [
        ["*" if name == contexts.current else "", name, context.server or "-", context.namespace or "-"]
        for name, context in contexts.contexts.items()
    ]
    typer.echo("\n".join(lines(columns, rows)))


@app.command()
@_told
def use(name: ContextName) -> None:
    """Make a context the current one."""
    path, contexts = _file()
    contexts.named(name, source="NAME")
    write_contexts(path, replace(contexts, current=name))
    typer.echo(f"{name} is the current context.", err=True)


@app.command("set")
@_told
def set_context(
    name: ContextName,
    *,
    server: Annotated[str | None, typer.Option(help="The server's address.", show_default=False)] = None,
    token_stdin: Annotated[
        bool,
        typer.Option(
            "--token-stdin",
            help="Read the token from standard input and keep it in the file of contexts. No flag takes the token"
            " itself: others would see it in the list of processes.",
        ),
    ] = False,
    token_file: Annotated[Path | None, typer.Option(help="A file with the token.", show_default=False)] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificates that the server's is checked against.", show_default=False)
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="The namespace.", show_default=False)
    ] = None,
) -> None:
    """Make a context or change what is given of one; the first becomes the current one. An empty value takes it away.

    The file is written anew: comments that stood in it are gone.
    """
    if NAME.fullmatch(name) is None:
        raise typer.BadParameter(f"{shown(name)!r} can be no name; allowed: {NAME_ALLOWED}", param_hint="NAME")
    if server and (message := server_problem(server)):
        raise typer.BadParameter(f"{message}; allowed: {SERVER_ALLOWED}", param_hint="--server")
    if namespace and NAME.fullmatch(namespace) is None:
        raise typer.BadParameter(f"can be no namespace; allowed: {NAME_ALLOWED}", param_hint="--namespace")
    if token_stdin and token_file is not None:
        raise typer.BadParameter("does not go with --token-file", param_hint="--token-stdin")
    path, contexts = _file()
    context = _changed(contexts.contexts.get(name, Context()), server=server, namespace=namespace, ca_file=ca_file)
    if token_stdin:
        context = replace(context, token=_token(), token_file=None)
    elif token_file is not None:
        context = replace(context, token="", token_file=_absolute(token_file))
    write_contexts(path, Contexts(contexts.current or name, {**contexts.contexts, name: context}))
    typer.echo(f"{name} is set in {path}.", err=True)


@app.command()
@_told
def remove(name: ContextName) -> None:
    """Forget a context."""
    path, contexts = _file()
    contexts.named(name, source="NAME")
    left = {other: context for other, context in contexts.contexts.items() if other != name}
    write_contexts(path, Contexts("" if contexts.current == name else contexts.current, left))
    typer.echo(f"{name} is gone from {path}.", err=True)


@app.command()
@_told
def show(
    name: Annotated[
        str | None, typer.Argument(help="The context; else the current one.", autocompletion=_names)
    ] = None,
    *,
    output: Written = Shape.TEXT,
) -> None:
    """Show a context; its token stays hidden."""
    from rollout.cli.outputs import write

    path, contexts = _file()
    chosen = name or os.environ.get("ROLLOUT_CONTEXT") or contexts.current
    if not chosen:
        typer.echo(f"No context is current in {path}.", err=True)
        raise typer.Exit(1)
    told = {"name": chosen, **_shown(contexts.named(chosen, source="NAME"))}
    if output is not Shape.TEXT:
        write(told, output)
    else:
        typer.echo("\n".join(f"{key + ':':<12} {value}" for key, value in told.items()))


def _shown(context: Context) -> dict[str, str]:
    values = {
        "server": context.server,
        "token": MASK if context.token else "",
        "token-file": str(context.token_file or ""),
        "ca-file": str(context.ca_file or ""),
        "namespace": context.namespace,
    }
    return {name: value for name, value in values.items() if value}


def _changed(context: Context, *, ca_file: Path | None, **texts: str | None) -> Context:
    given: dict[str, Any] = {name: value for name, value in texts.items() if value is not None}
    if "server" in given:
        given["server"] = given["server"].rstrip("/")
    if ca_file is not None:
        given["ca_file"] = _absolute(ca_file)
    return replace(context, **given)


def _absolute(path: Path) -> Path | None:
    """Return the file as an absolute path; None for an empty one, which takes it away."""
    return path.expanduser().absolute() if str(path) not in {"", "."} else None


def _token() -> str:
    token = sys.stdin.buffer.read(MOST_TOKEN + 1).decode("ascii", "replace").strip()
    if not is_token(token):
        raise typer.BadParameter(f"standard input holds no token; allowed: {TOKEN_ALLOWED}", param_hint="--token-stdin")
    return token

"""Which server a command asks, as whom, and in which namespace: flags, then the environment, then a context.

A command that asks the server is wrapped by ``asks_server``, which gives it the flags. Knows nothing of HTTP, so that
help and completion answer at once.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Concatenate, Final, ParamSpec, cast
from urllib.parse import urlsplit

import typer

from rollout.cli.contexts import (
    NAME,
    NAME_ALLOWED,
    SERVER_ALLOWED,
    TOKEN_ALLOWED,
    Context,
    contexts_file,
    is_open_to_others,
    is_token,
    read_contexts,
    server_problem,
    shown,
)
from rollout.errors import ConfigurationError, Problem

DEFAULT_SERVER: Final = "http://127.0.0.1:8686"
DEFAULT_NAMESPACE: Final = "default"
MOST_TOKEN_BYTES = 8192

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line said; None where it said nothing."""

    context: str | None = None
    server: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a command asks, and as whom.

    ``token`` is empty for none, ``context`` the name of the one in use or empty. ``warnings`` are sentences for
    standard error.
    """

    server: str = DEFAULT_SERVER
    token: str = field(default="", repr=False)
    ca_file: Path | None = None
    namespace: str = DEFAULT_NAMESPACE
    context: str = ""
    warnings: tuple[str, ...] = ()


def connection_from(flags: Flags, environ: Mapping[str, str]) -> Connection:
    """Return where to ask: each value from a flag, else the environment, else the context, else the default.

    A context that a flag names goes before the environment. The token and the certificates of a context go to the
    context's own server only.

    Raises:
        ConfigurationError: a value, a file or the file of contexts is not as it must be.
    """
    told = {name: value for name, value in environ.items() if name.startswith("ROLLOUT_") and value}
    name, context, warnings = _context(flags, told, environ)
    given = {} if flags.context is not None else told
    own = context.server or DEFAULT_SERVER
    server, where = _first((flags.server, "--server"), (given.get("ROLLOUT_SERVER"), "ROLLOUT_SERVER"), (own, "server"))
    if message := server_problem(server):
        raise _wrong(where, message, "" if "@" in server else server, SERVER_ALLOWED)
    server = server.rstrip("/")
    trusted = context if server == own else Context()
    token, ca_file = _token(flags, given, trusted), flags.ca_file or _path(given, "ROLLOUT_CA_FILE") or trusted.ca_file
    if token and server.startswith("http://") and not _is_here(server):
        warnings += (f"the token goes unencrypted to {server}; use https",)
    return Connection(server, token, ca_file, _namespace(flags, given, context), name, warnings)


def asks_server(command: Callable[Concatenate[Connection, P], None]) -> Callable[..., None]:
    """Give a command the flags that say which server is asked; it gets the connection as its first argument."""

    @wraps(command)
    def with_flags(**given: Any) -> None:  # noqa: ANN401 - as typer calls it
        from rollout.cli.running import fail

        flags = Flags(**{name: given.pop(name) for name in Flags.__dataclass_fields__})
        try:
            connection = connection_from(flags, os.environ)
        except ConfigurationError as error:
            raise fail(error) from None
        for warning in connection.warnings:
            typer.echo(f"warning: {warning}", err=True)
        cast("Callable[..., None]", command)(connection, **given)

    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    added = inspect.signature(_flags, eval_str=True).parameters.values()
    with_flags.__signature__ = inspect.Signature([*own, *added], return_annotation=None)  # type: ignore[attr-defined]
    return with_flags


def key_of(name: str, connection: Connection) -> tuple[str, str]:
    """Return namespace and name of a Rollout that the command line names, as ``NAME`` or ``NAMESPACE/NAME``.

    Raises:
        typer.BadParameter: it can be no name.
    """
    namespace, slash, rest = name.partition("/")
    found = (namespace, rest) if slash else (connection.namespace, name)
    if not all(NAME.fullmatch(part) for part in found):
        raise typer.BadParameter(f"{shown(name)!r} can be no name; allowed: {NAME_ALLOWED}", param_hint="NAME")
    return found


def _context(flags: Flags, told: Mapping[str, str], environ: Mapping[str, str]) -> tuple[str, Context, tuple[str, ...]]:
    """Return the context in use with its name, and what is to be warned of."""
    path = contexts_file(environ)
    contexts = read_contexts(path)
    name, source = _first(
        (flags.context, "--context"), (told.get("ROLLOUT_CONTEXT"), "ROLLOUT_CONTEXT"), (contexts.current, "current")
    )
    if not name and flags.context is None:
        return "", Context(), ()
    context = contexts.named(name, source=source)
    open_file = is_open_to_others(path, contexts)
    return name, context, (f"{path} holds a token and others may read it; run chmod 600",) if open_file else ()


def _is_here(server: str) -> bool:
    """Return whether the address is one of this machine's own."""
    host = urlsplit(server).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _first(*values: tuple[str | None, str]) -> tuple[str, str]:
    return next(((value, where) for value, where in values if value is not None), ("", ""))


def _path(told: Mapping[str, str], name: str) -> Path | None:
    return Path(told[name]) if name in told else None


def _namespace(flags: Flags, told: Mapping[str, str], context: Context) -> str:
    namespace, where = _first(
        (flags.namespace, "--namespace"),
        (told.get("ROLLOUT_NAMESPACE"), "ROLLOUT_NAMESPACE"),
        (context.namespace or DEFAULT_NAMESPACE, "namespace"),
    )
    if NAME.fullmatch(namespace) is None:
        raise _wrong(where, "can be no namespace", namespace, NAME_ALLOWED)
    return namespace


def _token(flags: Flags, told: Mapping[str, str], context: Context) -> str:
    if flags.token_file is not None:
        return _token_in(flags.token_file, "--token-file")
    if token := told.get("ROLLOUT_TOKEN", "").strip():
        return _checked(token, "ROLLOUT_TOKEN")
    if "ROLLOUT_TOKEN_FILE" in told:
        return _token_in(Path(told["ROLLOUT_TOKEN_FILE"]), "ROLLOUT_TOKEN_FILE")
    return context.token or (_token_in(context.token_file, "token-file") if context.token_file is not None else "")


def _token_in(path: Path, where: str) -> str:
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(MOST_TOKEN_BYTES + 1)
    except OSError as error:
        raise _wrong(where, error.strerror or "cannot be read", str(path), "a file with a token") from error
    return _checked(content.decode("ascii", "replace").strip(), f"{where} {shown(str(path))}")


def _checked(token: str, where: str) -> str:
    if not is_token(token):
        raise _wrong(where, "holds no token", "", TOKEN_ALLOWED)
    return token


def _wrong(where: str, message: str, given: str, allowed: str) -> ConfigurationError:
    return ConfigurationError((Problem(where, message, given=shown(given), allowed=allowed),))


def _named(incomplete: str) -> list[str]:
    from rollout.cli.completion import context_names

    return context_names(incomplete)


def _flags(
    *,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="The namespace; else $ROLLOUT_NAMESPACE, the context's, default."),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(
            help="A context of `rollout context list`; else $ROLLOUT_CONTEXT, the current one.", autocompletion=_named
        ),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(help=f"The server's address; else $ROLLOUT_SERVER, the context's, {DEFAULT_SERVER}."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="A file with the token; else $ROLLOUT_TOKEN, $ROLLOUT_TOKEN_FILE, the context's. No flag takes the"
            " token itself: others would see it in the list of processes."
        ),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(help="Certificates that the server's is checked against; else $ROLLOUT_CA_FILE, the context's."),
    ] = None,
) -> None:
    """Be the flags that ``asks_server`` adds."""

"""What the shell completes: names of contexts, and of Rollouts and sinks, which the server is asked for in a second.

Imports nothing heavy, since a person waits for the next key. Whatever goes wrong, nothing is completed and nothing is
said: the command itself will say it.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from rollout.cli.connection import Connection, Flags, connection_from
from rollout.cli.contexts import contexts_file, read_contexts
from rollout.errors import RolloutError

SECONDS = 1.0
"""How long is waited for the server."""

MOST_BYTES = 4 * 1024 * 1024
MOST_NAMES = 500


class Typed(Protocol):
    """What was typed before the word that is completed, as typer gives it."""

    @property
    def params(self) -> Mapping[str, object]:
        """Return the values of flags and arguments."""
        ...


def context_names(incomplete: str) -> list[str]:
    """Return the names of contexts that begin so."""
    with suppress(RolloutError, OSError):
        contexts = read_contexts(contexts_file(os.environ)).contexts
        return sorted(name for name in contexts if name.startswith(incomplete))
    return []


def rollout_names(ctx: Typed, incomplete: str) -> list[str]:
    """Return the names of Rollouts that begin so; after ``NAMESPACE/`` those of that namespace."""
    namespace, slash, _ = incomplete.rpartition("/")
    try:
        connection = connection_from(_flags_of(ctx.params), os.environ)
    except RolloutError:
        return []
    names = _within(connection, namespace if slash else connection.namespace)
    found = (f"{namespace}{slash}{name}" for name in names)
    return [name for name in found if name.startswith(incomplete)]


def sink_names(ctx: Typed, incomplete: str) -> list[str]:
    """Return the names of sinks that begin so: those of the file that was typed, else those of the service."""
    file = ctx.params.get("sinks")
    names = _sinks_in(Path(str(file))) if file is not None else _sinks_there(ctx)
    return [name for name in names if name.startswith(incomplete)]


def _sinks_in(file: Path) -> list[str]:
    from rollout.notify.reading import read_sinks

    with suppress(RolloutError):
        return [sink.name for sink in read_sinks(file).sinks]
    return []


def _sinks_there(ctx: Typed) -> list[str]:
    with suppress(RolloutError, LookupError, TypeError):
        connection = connection_from(_flags_of(ctx.params), os.environ)
        return [str(item["name"]) for item in _in_time(lambda: _answer(connection, "sinks"))["items"]]
    return []


def backup_names(ctx: Typed, incomplete: str) -> list[str]:
    """Return the names that begin so of the backups of the Rollout that was typed."""
    backends = _part(_part(_resource(ctx), "spec"), "backends").get("backups")
    names = [str(_part({"": each}, "").get("name", "")) for each in backends] if isinstance(backends, list) else []
    return [name for name in names if name and name.startswith(incomplete)]


def epochs(ctx: Typed, incomplete: str) -> list[str]:
    """Return the number of the failover of the Rollout that was typed."""
    number = str(_part(_part(_resource(ctx), "status"), "failover").get("epoch", ""))
    return [number] if number and number.startswith(incomplete) else []


def _part(whole: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = whole.get(name)
    return value if isinstance(value, Mapping) else {}


def _resource(ctx: Typed) -> Mapping[str, object]:
    """Return the resource of the Rollout that was typed; empty when it is not there within a second."""
    namespace, slash, name = str(ctx.params.get("name") or "").rpartition("/")
    try:
        connection = connection_from(_flags_of(ctx.params), os.environ)
    except RolloutError:
        return {}
    path = f"/{quote(namespace if slash else connection.namespace, safe='')}/{quote(name, safe='')}"
    found = _in_time(lambda: _answer(connection, f"rollouts{path}")) if name else None
    return found if isinstance(found, Mapping) else {}


def _flags_of(params: Mapping[str, object]) -> Flags:
    def text(name: str) -> str | None:
        value = params.get(name)
        return str(value) if value is not None else None

    def file(name: str) -> Path | None:
        value = text(name)
        return Path(value) if value is not None else None

    return Flags(text("context"), text("server"), file("token_file"), file("ca_file"), text("namespace"))


def _within(connection: Connection, namespace: str) -> list[str]:
    """Return the names."""
    query = urlencode({"namespace": namespace, "limit": MOST_NAMES})
    with suppress(LookupError, TypeError):
        return [str(item["name"]) for item in _in_time(lambda: _answer(connection, f"rollouts?{query}"))["items"]]
    return []


def _in_time(ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - any JSON
    """Return what is answered; None when it is not there within a second, however slowly the server answers."""
    found: Queue[Any] = Queue(maxsize=1)
    Thread(target=lambda: found.put(ask()), daemon=True).start()
    try:
        return found.get(timeout=SECONDS)
    except Empty:
        return None


def _answer(connection: Connection, what: str) -> Any:  # noqa: ANN401 - any JSON
    """Return the answer of the API, None where there is none."""
    with suppress(OSError, HTTPException, ValueError), closing(_open(connection)) as http:
        token = {"Authorization": f"Bearer {connection.token}"} if connection.token else {}
        http.request("GET", f"{urlsplit(connection.server).path}/api/v1/{what}", headers=token)
        answer = http.getresponse()
        if answer.status == 200:  # noqa: PLR2004 - as HTTP numbers it
            return json.loads(answer.read(MOST_BYTES))
    return None


def _open(connection: Connection) -> HTTPConnection:
    parts = urlsplit(connection.server)
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=connection.ca_file)
        return HTTPSConnection(host, parts.port, timeout=SECONDS, context=context)
    return HTTPConnection(host, parts.port, timeout=SECONDS)

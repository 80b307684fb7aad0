"""What the shell completes: names of contexts, and of Rollouts, which the server is asked for within a second.

Imports nothing heavy, since a person waits for the next key. Whatever goes wrong, nothing is completed and nothing is
said: the command itself will say it.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Protocol
from urllib.parse import urlencode, urlsplit

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


def _flags_of(params: Mapping[str, object]) -> Flags:
    def text(name: str) -> str | None:
        value = params.get(name)
        return str(value) if value is not None else None

    def file(name: str) -> Path | None:
        value = text(name)
        return Path(value) if value is not None else None

    return Flags(text("context"), text("server"), file("token_file"), file("ca_file"), text("namespace"))


def _within(connection: Connection, namespace: str) -> list[str]:
    """Return the names; none when they are not there within a second, however slowly the server answers."""
    found: Queue[list[str]] = Queue(maxsize=1)
    Thread(target=lambda: found.put(list(_asked(connection, namespace))), daemon=True).start()
    try:
        return found.get(timeout=SECONDS)
    except Empty:
        return []


def _asked(connection: Connection, namespace: str) -> Iterator[str]:
    with suppress(OSError, HTTPException, ValueError, LookupError, TypeError), closing(_open(connection)) as http:
        query = urlencode({"namespace": namespace, "limit": MOST_NAMES})
        token = {"Authorization": f"Bearer {connection.token}"} if connection.token else {}
        http.request("GET", f"{urlsplit(connection.server).path}/api/v1/rollouts?{query}", headers=token)
        answer = http.getresponse()
        if answer.status == 200:  # noqa: PLR2004 - as HTTP numbers it
            yield from (str(item["name"]) for item in json.loads(answer.read(MOST_BYTES))["items"])


def _open(connection: Connection) -> HTTPConnection:
    parts = urlsplit(connection.server)
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=connection.ca_file)
        return HTTPSConnection(host, parts.port, timeout=SECONDS, context=context)
    return HTTPConnection(host, parts.port, timeout=SECONDS)

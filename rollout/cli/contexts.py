"""The file of contexts: which servers a person uses, under which names.

TOML, at ``$ROLLOUT_CONFIG``, else ``$XDG_CONFIG_HOME/rollout/config.toml``, else ``~/.config/rollout/config.toml``.
Read by ``rollout.cli.connection``, changed by ``rollout context``. Knows nothing of HTTP; imports nothing heavy, since
completion reads it too.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rollout.errors import ConfigurationError, Problem

NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?")
NAME_ALLOWED: Final = "letters, digits, - _ and ., at most 253, a letter or digit first and last"
SERVER_ALLOWED: Final = "http:// or https://, a host and perhaps a port, without user, password, ? and #"
MOST_BYTES = 1024 * 1024
"""A file of contexts is no larger than this."""

_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
TOKEN_ALLOWED: Final = "printable ASCII without spaces, at most 8192 characters"  # noqa: S105 - a sentence
_KEYS: Final = ("server", "token", "token-file", "ca-file", "namespace")
_TOP_KEYS: Final = ("current", "contexts")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Context:
    """One server as somebody, under a name; empty or None where the file says nothing.

    ``token`` and ``token_file`` exclude each other. Files are absolute.
    """

    server: str = ""
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    ca_file: Path | None = None
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Contexts:
    """The file: all contexts by name, and which is used when nothing else is said (empty: none)."""

    current: str = ""
    contexts: Mapping[str, Context] = field(default_factory=dict)

    def named(self, name: str, *, source: str) -> Context:
        """Return the context; ``source`` is who named it.

        Raises:
            ConfigurationError: there is none with this name.
        """
        if name in self.contexts:
            return self.contexts[name]
        known = ", ".join(sorted(self.contexts)) or "none is set; see rollout context set"
        raise ConfigurationError((Problem(source, "is no context", given=shown(name), allowed=known),))


def contexts_file(environ: Mapping[str, str]) -> Path:
    """Return where the file is, whether or not it exists."""
    if given := environ.get("ROLLOUT_CONFIG"):
        return Path(given).expanduser()
    base = environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else Path("~/.config").expanduser()
    return folder / "rollout" / "config.toml"


def read_contexts(path: Path) -> Contexts:
    """Return what the file says; a file that is not there says nothing.

    Raises:
        ConfigurationError: it cannot be read, is no TOML, has a key that is not known or a value that cannot be;
            every problem at once.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise _refused(path, "", error.strerror or "it cannot be read") from error
    if len(content) > MOST_BYTES:
        raise _refused(path, "", f"is too large; allowed: at most {MOST_BYTES} bytes")
    try:
        raw = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(path, "", f"is not TOML: {str(error)[:200]}") from error
    problems = tuple(_problems_of(raw, str(path)))
    if problems:
        raise ConfigurationError(problems)
    return _contexts_of(raw, path.parent)


def write_contexts(path: Path, contexts: Contexts) -> None:
    """Write the file at once and whole, readable by its owner only; comments that stood in it are gone.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, unfinished = tempfile.mkstemp(dir=target.parent, prefix=".config-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(_toml(contexts))
                file.flush()
                os.fsync(file.fileno())
            Path(unfinished).replace(target)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(unfinished).unlink()
            raise
    except OSError as error:
        raise _refused(path, "", error.strerror or "it cannot be written") from error


def is_open_to_others(path: Path, contexts: Contexts) -> bool:
    """Return whether the file holds a token and others than its owner may read it."""
    if not any(context.token for context in contexts.contexts.values()):
        return False
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def server_problem(server: str) -> str:
    """Return what is wrong with the address of a server, empty when nothing is."""
    try:
        parts = urlsplit(server)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in {"http", "https"} or not host or not server.isprintable() or " " in server:
        return "is no address"
    if "@" in parts.netloc:
        return "must not carry a user or password"
    return "must not have ? or #" if "?" in server or "#" in server else ""


def is_token(text: str) -> bool:
    """Return whether ``text`` can be sent as a token."""
    return _TOKEN.fullmatch(text) is not None


def shown(text: str) -> str:
    """Return ``text`` on one line, safe for a terminal, cut where it is long."""
    cut = text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - about a line
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)


def _refused(path: Path, where: str, message: str) -> ConfigurationError:
    return ConfigurationError((Problem(where, message, source=str(path)),))


def _problems_of(raw: Mapping[str, object], source: str) -> Iterator[Problem]:
    yield from _unknown(raw, _TOP_KEYS, "", source)
    current, entries = raw.get("current", ""), raw.get("contexts", {})
    if not isinstance(current, str):
        yield _wrong("current", current, "text", source)
    if not isinstance(entries, dict):
        yield _wrong("contexts", entries, "tables [contexts.NAME]", source)
        return
    for name, entry in entries.items():
        yield from _problems_of_context(name, entry, source)


def _problems_of_context(name: str, entry: object, source: str) -> Iterator[Problem]:
    where = f"contexts.{shown(name)}"
    if NAME.fullmatch(name) is None:
        yield _wrong(where, name, NAME_ALLOWED, source)
    if not isinstance(entry, dict):
        yield _wrong(where, entry, "a table", source)
        return
    yield from _unknown(entry, _KEYS, f"{where}.", source)
    for key in _KEYS:
        if key in entry:
            yield from _problems_of_value(f"{where}.{key}", key, entry[key], source)
    if "token" in entry and "token-file" in entry:
        yield Problem(where, "has both token and token-file; keep one of them", source=source)


def _problems_of_value(where: str, key: str, value: object, source: str) -> Iterator[Problem]:
    if key == "token":
        if not isinstance(value, str) or not is_token(value):
            yield Problem(where, "cannot be a token", allowed=TOKEN_ALLOWED, source=source)
    elif not isinstance(value, str) or not value or not value.isprintable():
        yield _wrong(where, value, "text", source)
    elif key == "server" and (message := server_problem(value)):
        given = "" if "@" in value else shown(value)
        yield Problem(where, message, given=given, allowed=SERVER_ALLOWED, source=source)
    elif key == "namespace" and NAME.fullmatch(value) is None:
        yield _wrong(where, value, NAME_ALLOWED, source)


def _unknown(table: Mapping[str, object], known: tuple[str, ...], where: str, source: str) -> Iterator[Problem]:
    for key in table:
        if key not in known:
            hint = "".join(f"; did you mean {close}?" for close in get_close_matches(key, known, n=1))
            message = f"is not a known key{hint}"
            yield Problem(f"{where}{shown(key)}", message, allowed=", ".join(known), source=source)


def _wrong(where: str, value: object, allowed: str, source: str) -> Problem:
    return Problem(where, "is not right", given=shown(str(value)), allowed=allowed, source=source)


def _contexts_of(raw: Mapping[str, object], folder: Path) -> Contexts:
    entries = raw.get("contexts", {})
    found = entries.items() if isinstance(entries, dict) else ()
    return Contexts(str(raw.get("current", "")), {name: _context_of(entry, folder) for name, entry in found})


def _context_of(entry: Mapping[str, str], folder: Path) -> Context:
    def file(key: str) -> Path | None:
        return (folder / Path(entry[key]).expanduser()).absolute() if key in entry else None

    server, namespace = entry.get("server", "").rstrip("/"), entry.get("namespace", "")
    return Context(server, entry.get("token", ""), file("token-file"), file("ca-file"), namespace)


def _toml(contexts: Contexts) -> str:
    lines = [f"current = {_text(contexts.current)}"] if contexts.current else []
    for name, context in contexts.contexts.items():
        if lines:
            lines.append("")
        lines.append(f"[contexts.{name if _BARE.fullmatch(name) else _text(name)}]")
        values = (context.server, context.token, context.token_file, context.ca_file, context.namespace)
        lines += [f"{key} = {_text(str(value))}" for key, value in zip(_KEYS, values, strict=True) if value]
    return "".join(f"{line}\n" for line in lines)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)

"""What must be right between the fields of a sink, and between sinks: which kind takes which fields, names once.

Called by ``rollout.notify.reading`` with sinks whose fields are right one by one. What it says shows no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pydantic.alias_generators import to_camel

from rollout.errors import Problem
from rollout.notify.sinks import FILES, Sink, SinkKind, Sinks
from rollout.spec.fields import either
from rollout.spec.sentences import REQUIRED

_ONLY: Mapping[str, tuple[SinkKind, ...]] = {
    "token_file": (SinkKind.SLACK_BOT,),
    "channel": (SinkKind.SLACK_BOT,),
    "secret_file": (SinkKind.CLOUD_EVENTS,),
    "ca_file": tuple(kind for kind in SinkKind if kind is not SinkKind.APPRISE),
}
"""Fields that mean something to some kinds only."""

_NEEDED: Mapping[SinkKind, tuple[str, ...]] = {SinkKind.SLACK_BOT: ("token_file", "channel")}
_LOOKS_SECRET = re.compile(r"whsec_|xox[a-z]-|[a-z]+:/", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s/?#]+([/?#]\S*)?", re.IGNORECASE)
_APPRISE_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S*", re.IGNORECASE)
_MOST_PORT = 65535


def relations(sinks: Sinks) -> Iterator[Problem]:
    """Yield what is wrong; ``field`` is the place in the file."""
    lines: dict[str, int] = {}
    for index, sink in enumerate(sinks.sinks):
        at = f"sinks[{index}]"
        if sink.name in lines:
            allowed = "a name that no other sink has"
            yield Problem(f"{at}.name", f"is that of sinks[{lines[sink.name]}], too", given=sink.name, allowed=allowed)
        lines.setdefault(sink.name, index)
        yield from _fields_of_kind(sink, at)
        yield from _address(sink, at)
        yield from _files(sink, at)


def _fields_of_kind(sink: Sink, at: str) -> Iterator[Problem]:
    for name, kinds in _ONLY.items():
        if getattr(sink, name) and sink.kind not in kinds:
            allowed = f"with kind {either([kind.value for kind in kinds])} only"
            yield Problem(f"{at}.{to_camel(name)}", f"means nothing to kind {sink.kind.value}", allowed=allowed)
    for name in _NEEDED.get(sink.kind, ()):
        if not getattr(sink, name):
            allowed = f"a value; kind {sink.kind.value} needs it"
            yield Problem(f"{at}.{to_camel(name)}", REQUIRED, given="nothing", allowed=allowed)
    if sink.kind is SinkKind.CLOUD_EVENTS and sink.digest:
        message = f"means nothing to kind {sink.kind.value}, which is told of each transition by itself"
        yield Problem(f"{at}.digest", message, allowed="with any other kind, or false")


def _address(sink: Sink, at: str) -> Iterator[Problem]:
    if sink.url is not None and sink.url_file is not None:
        yield Problem(f"{at}.urlFile", "is a second address", allowed="url or urlFile, not both")
    needs = sink.kind is not SinkKind.SLACK_BOT
    if needs and sink.url is None and sink.url_file is None:
        yield Problem(f"{at}.urlFile", REQUIRED, given="nothing", allowed="url or urlFile, one of them")
    if sink.url is not None and not _is_address(sink):
        schemes = "a URL of apprise's" if sink.kind is SinkKind.APPRISE else "an http:// or https:// URL with a host"
        yield Problem(f"{at}.url", "is not the address of a sink", allowed=schemes)


def _is_address(sink: Sink) -> bool:
    url = sink.url.get_secret_value() if sink.url is not None else ""
    if sink.kind is SinkKind.APPRISE:
        return bool(_APPRISE_URL.fullmatch(url))
    try:
        return bool(_URL.fullmatch(url)) and bool(urlsplit(url).hostname) and (urlsplit(url).port or 1) <= _MOST_PORT
    except ValueError:
        return False


def _files(sink: Sink, at: str) -> Iterator[Problem]:
    for name in FILES:
        if _LOOKS_SECRET.match(str(getattr(sink, name) or "")):
            message = "looks like the secret itself, and must name a file that holds it"
            yield Problem(f"{at}.{to_camel(name)}", message, allowed="a path, seen from the folder of this file")

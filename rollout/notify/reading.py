"""The file of sinks, read: every problem at once with file, line and field, and nothing in it that may be a secret.

Called when the service starts and by the command line. What stands in the file may be a secret wherever it does not
belong, such as a URL beside the field for it; so only what is harmless by its field is shown again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rollout.errors import ConfigurationError, Problem
from rollout.notify.relations import relations
from rollout.notify.sinks import FILES, Sink, Sinks
from rollout.settings.file import text_of
from rollout.spec.fields import Location, path_of
from rollout.spec.reading import read
from rollout.spec.text import Manifest, manifests_in

ALLOWED = "one mapping with sinks, a list"
_HARMLESS = frozenset(
    {
        *("name", "kind", "channel", "every", "on", "namespaces", "labels", "quiet", "during", "timeZone", "except"),
        *("digest", "least", "gather", "templates", "title", "text", "timeout"),
    }
)
"""Fields of which it may be shown what was given."""

_SECRET = re.compile(r"://|xox[a-z]-|whsec_|[\w-]\.[\w.-]+(:\d+)?/", re.IGNORECASE)
"""What looks like an address, with its scheme or without, or like a token."""

_COUNTED = re.compile(r"a (list|mapping) of \d+")
_WORD = re.compile(r"[A-Za-z_]{1,24}")

ZoneProblems = Callable[[str, str], Iterable[Problem]]
"""From the name of a time zone and the field that has it to what is wrong with it."""


def read_sinks(path: Path, zones: ZoneProblems = lambda _name, _field: ()) -> Sinks:
    """Return the sinks that the file names, with the paths in it absolute; ``zones`` knows which time zones there are.

    Raises:
        ConfigurationError: it cannot be read, or holds what is wrong; each problem has file, line and field.
    """
    source = str(path)
    document = _document(text_of(path), source)
    if document is None:
        return Sinks()
    if not isinstance(document.value, Mapping):
        raise ConfigurationError((Problem("", "is no mapping", allowed=ALLOWED, source=source, line=document.line),))

    def rules(sinks: Sinks) -> Iterator[Problem]:
        yield from relations(sinks)
        yield from _unknown_zones(sinks, zones)

    reading = read(document.value, Sinks, rules)
    if reading.value is None or reading.problems:
        raise ConfigurationError(tuple(_told(where, one, document, source) for where, one in reading.problems))
    folder = path.absolute().parent
    return reading.value.model_copy(update={"sinks": tuple(_placed(sink, folder) for sink in reading.value.sinks)})


def _document(text: str, source: str) -> Manifest | None:
    try:
        documents = manifests_in(text, source=source)
    except ConfigurationError as error:
        raise ConfigurationError(tuple(replace(problem, given="") for problem in error.problems)) from None
    if len(documents) > 1:
        line = documents[1].line
        raise ConfigurationError((Problem("", "is a second document", allowed=ALLOWED, source=source, line=line),))
    return documents[0] if documents else None


def _unknown_zones(sinks: Sinks, zones: ZoneProblems) -> Iterator[Problem]:
    for index, sink in enumerate(sinks.sinks):
        if sink.quiet is not None:
            yield from zones(sink.quiet.time_zone, f"sinks[{index}].quiet.timeZone")


def _told(where: Location, problem: Problem, document: Manifest, source: str) -> Problem:
    """Return the problem with its place, and without what may be a secret."""
    line = document.line_of(path_of(where))
    names = [part for part in where if isinstance(part, str)]
    odd = bool(names) and not _WORD.fullmatch(names[-1]) and "labels" not in names[:-1]
    return replace(
        problem,
        field=path_of(where[:-1]) if odd else problem.field,
        given=problem.given if _is_shown(names, problem.given) else "",
        source=source,
        line=line,
    )


def _is_shown(names: Sequence[str], given: str) -> bool:
    """Return whether what was given in the place with these names may be said again."""
    if given == "nothing" or _COUNTED.fullmatch(given):
        return True
    harmless = bool(names) and (names[-1] in _HARMLESS or "labels" in names)
    return harmless and not _SECRET.search(given)


def _placed(sink: Sink, folder: Path) -> Sink:
    paths = {name: getattr(sink, name) for name in FILES}
    return sink.model_copy(update={name: folder / file for name, file in paths.items() if file is not None})

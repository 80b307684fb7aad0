"""What a Rollout asks for: its labels, and the words for which it names each sink.

Of a spec that is invalid what can be read of it counts all the same: who set up a sink, or asked for little, is not to
be told more because of a mistake somewhere else in the spec.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rollout.notify.delivery.filters import ALL

NONE = frozenset(("",))
"""Words that no transition has: nothing is told."""

_MOST = 100


def together(wanted: Iterable[tuple[str, Iterable[str]]]) -> Mapping[str, frozenset[str]]:
    """Return the words for each sink; one that is named twice is told of both, and of all when one has no words."""
    asked = dict[str, frozenset[str]]()
    for sink, words in wanted:
        found = frozenset(words)
        before = asked.get(sink, found)
        asked[sink] = before | found if before and found else ALL
    return asked


def written(document: Mapping[str, object]) -> tuple[Mapping[str, str], Mapping[str, frozenset[str]]]:
    """Return the labels and the words for each sink that a manifest has, which may be wrong in every way."""
    given = _mapping(_mapping(document.get("metadata")).get("labels"))
    labels = {name: value for name, value in given.items() if isinstance(value, str)}
    return labels, together(_named(_mapping(document.get("spec")).get("notify")))


def _named(wishes: object) -> Iterator[tuple[str, frozenset[str]]]:
    for wish in wishes[:_MOST] if isinstance(wishes, list | tuple) else ():
        sink, words = _mapping(wish).get("sink"), _mapping(wish).get("on")
        if isinstance(sink, str):
            yield sink, ALL if words is None or words == [] else _words(words)


def _words(words: object) -> frozenset[str]:
    found = words[:_MOST] if isinstance(words, list | tuple) else ()
    return frozenset(word for word in found if isinstance(word, str)) or NONE


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}

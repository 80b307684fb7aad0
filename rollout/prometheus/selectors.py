"""Series selectors: a template's selector, narrowed to the backends of many Rollouts at once.

One query asks for all of them by a regular expression over the labels that identify a backend;
``owner`` says afterwards to whom a series belongs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from rollout.spec.metrics import MetricTemplates
from rollout.spec.placeholders import fill

MOST_CHARACTERS = 5000
"""What the backends of one query may take of the URL, where the client puts it: with all else below 8 KiB."""

_SELECTOR = re.compile(r"^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{(.*)\})?\s*$", re.DOTALL)
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")

Identity = tuple[str, ...]
"""The values of the labels that identify a backend, in the order of the template."""


def identity(templates: MetricTemplates, values: Mapping[str, str]) -> Identity:
    """Return what identifies one backend: the template's label values with placeholders filled in."""
    return tuple(fill(value, values) for value in templates.backend_labels.values())


def owner(labels: Sequence[str], found: Mapping[str, str]) -> Identity:
    """Return the identity that the labels of a series say."""
    return tuple(found.get(name, "") for name in labels)


def narrowed(selector: str, labels: Sequence[str], identities: Iterable[Identity], *more: str) -> str:
    """Return ``selector`` with a matcher for each identifying label over all ``identities``, and ``more`` matchers."""
    match = _SELECTOR.match(selector)
    name, inner = (match[1] or "", match[2] or "") if match is not None else (selector, "")
    wanted = list(identities)
    matchers = [inner.strip().rstrip(",")] if inner.strip() else []
    for place, label in enumerate(labels):
        values = dict.fromkeys(_literal(one[place]) for one in wanted)
        matchers.append(f'{label}=~"{"|".join(values)}"')
    return f"{name}{{{','.join((*matchers, *more))}}}"


def _literal(value: str) -> str:
    """Return ``value`` as an RE2 literal inside a PromQL string."""
    return _SPECIAL.sub(r"\\\1", value).replace("\\", "\\\\").replace('"', '\\"')


def le_matcher(bounds: Iterable[float]) -> str:
    """Return a matcher for the buckets at ``bounds`` (in the histogram's unit) in all usual spellings, and +Inf."""
    spellings = (spelling for bound in bounds for spelling in (f"{bound:g}", repr(float(bound)), f"{bound:f}"))
    return f'le=~"{"|".join(dict.fromkeys(map(_literal, (*spellings, "+Inf"))))}"'


def groups(identities: Iterable[Identity]) -> list[list[Identity]]:
    """Return ``identities`` in groups whose query stays short enough for a URL."""
    found: list[list[Identity]] = [[]]
    size = 0
    for one in identities:
        length = sum(len(quote(_literal(value))) + len("%7C") for value in one)
        if found[-1] and size + length > MOST_CHARACTERS:
            found.append([])
            size = 0
        found[-1].append(one)
        size += length
    return [group for group in found if group]

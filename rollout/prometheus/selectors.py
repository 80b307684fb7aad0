"""Series selectors: a template's selector, narrowed to the backends of many Rollouts at once.

One query asks for all of them by a regular expression over the labels that identify a backend;
``owner`` says afterwards to whom a series belongs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from rollout.spec.metrics import MetricTemplates
from rollout.spec.placeholders import fill

MOST_CHARACTERS = 6000
"""Of one query: the client puts it into the URL."""

_SELECTOR = re.compile(r"^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{(.*)\})?\s*$", re.DOTALL)
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")

Identity = tuple[str, ...]
"""The values of the labels that identify a backend, in the order of the template."""


def identity(templates: MetricTemplates, values: Mapping[str, str]) -> Identity:
    """Return what identifies one backend: the template's label values with placeholders filled in."""
    return tuple(fill(value, values) for value in templates.backend_labels.values())


def owner(templates: MetricTemplates, labels: Mapping[str, str]) -> Identity:
    """Return the identity that a series' labels say."""
    return tuple(labels.get(name, "") for name in templates.backend_labels)


def narrowed(selector: str, labels: Sequence[str], identities: Iterable[Identity]) -> str:
    """Return ``selector`` with a matcher for each identifying label, over all ``identities``."""
    match = _SELECTOR.match(selector)
    name, inner = (match[1] or "", match[2] or "") if match is not None else (selector, "")
    wanted = list(identities)
    matchers = [inner.strip().rstrip(",")] if inner.strip() else []
    for place, label in enumerate(labels):
        values = sorted({_literal(one[place]) for one in wanted})
        matchers.append(f'{label}=~"{"|".join(values)}"')
    return f"{name}{{{','.join(matchers)}}}"


def _literal(value: str) -> str:
    """Return ``value`` as an RE2 literal inside a PromQL string."""
    return _SPECIAL.sub(r"\\\1", value).replace("\\", "\\\\").replace('"', '\\"')


def groups(identities: Sequence[Identity]) -> list[list[Identity]]:
    """Return ``identities`` in groups whose query stays short enough."""
    found: list[list[Identity]] = [[]]
    size = 0
    for one in identities:
        length = sum(2 * len(value) + 3 for value in one)
        if found[-1] and size + length > MOST_CHARACTERS:
            found.append([])
            size = 0
        found[-1].append(one)
        size += length
    return [group for group in found if group]

"""Warnings of sinks that a manifest names and the operator has not set up: nobody would be told, and nobody would know.

Called by whoever knows the sinks: the API when something is applied, and `rollout lint` when it is given their file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from rollout.errors import Problem
from rollout.spec.fields import either
from rollout.spec.sentences import guess, shown

_PLACE = "spec.notify[{}].sink"


def sink_warnings(document: Mapping[str, object], known: Collection[str]) -> Iterator[Problem]:
    """Yield a warning for each sink that a Rollout or policy names and that is not ``known``."""
    spec = document.get("spec")
    notify = spec.get("notify") if isinstance(spec, Mapping) else None
    for index, one in enumerate(notify if isinstance(notify, list | tuple) else ()):
        name = one.get("sink") if isinstance(one, Mapping) else None
        if isinstance(name, str) and name not in known:
            near = guess(name, sorted(known))
            message = f"there is no such sink{f'; did you mean {near}?' if near else ''}"
            allowed = either(sorted(known)) if known else "no sink: the operator has set up none"
            yield Problem(_PLACE.format(index), message, given=shown(name), allowed=allowed, warning=True)

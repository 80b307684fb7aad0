"""What a status says to the store, and the patches that write one or take the finalizer. Pure; called by ``store``.

``sequence`` stands in a transition for the journal alone (see ``rollout.kube.journal``): the store puts it in when it
writes, and takes it out when it reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rollout.engine.table import RUNNING, Phase
from rollout.kube.resources import Document, version_of

FINALIZER = "rollout.dev/weights"
"""There as long as weights stand somewhere in the middle: a deletion then waits until they were put back."""

SEQUENCE = "sequence"
_ON_THE_WAY = (*RUNNING, Phase.ABORTING)
_AT_HOME = (None, "", "Normal", "Confirming")

Operations = list[dict[str, Any]]


def is_attempted(status: Mapping[str, Any]) -> bool:
    """Return whether an attempt runs: a deletion first gives stable all weight back."""
    phase = status.get("phase")
    if phase == Phase.INVALID:
        engine = status.get("engine")
        phase = engine.get("before_invalid") if isinstance(engine, Mapping) else None
    return phase in _ON_THE_WAY


def is_running(status: Mapping[str, Any]) -> bool:
    """Return whether an attempt runs, or a failover is active: weights are not where they rest."""
    failover = status.get("failover")
    state = failover.get("phase") if isinstance(failover, Mapping) else None
    return is_attempted(status) or state not in _AT_HOME


def transitions_of(status: object) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the transitions in the status with their numbers."""
    entries = status.get("transitions") if isinstance(status, Mapping) else None
    for entry in entries if isinstance(entries, list) else ():
        number = entry.get("number") if isinstance(entry, Mapping) else None
        if isinstance(number, int) and not isinstance(number, bool):
            yield number, entry


def with_sequences(status: Mapping[str, Any], known: Mapping[int, int]) -> dict[str, Any]:
    """Return the status to be written: each transition whose sequence is known, by its number, carries it."""
    written = dict(status)
    entries = status.get("transitions")
    if isinstance(entries, list):
        written["transitions"] = [_with_sequence(entry, known) for entry in entries]
    return written


def _with_sequence(entry: object, known: Mapping[int, int]) -> object:
    if not isinstance(entry, Mapping):
        return entry
    sequence = known.get(entry.get("number", 0))
    return dict(entry) if sequence is None else {**entry, SEQUENCE: sequence}


def without_sequences(transitions: object) -> object:
    """Return the transitions of a status as they were given to be recorded."""
    return [plain(entry) for entry in transitions] if isinstance(transitions, list) else transitions


def plain(entry: Any) -> Any:  # noqa: ANN401 - a transition, or what somebody wrote in its place
    """Return a transition without its sequence: itself when it has none."""
    if not isinstance(entry, Mapping) or SEQUENCE not in entry:
        return entry
    return {name: value for name, value in entry.items() if name != SEQUENCE}


def recording(status: Mapping[str, Any], *, expected: str) -> Operations:
    """Return the patch of the subresource that writes ``status`` over the version ``expected``."""
    return [_at_version(expected), {"op": "add", "path": "/status", "value": status}]


def holding(kept: Document) -> Operations:
    """Return the patch that adds the finalizer, nothing when it is there."""
    if FINALIZER in finalizers(kept):
        return []
    fresh: dict[str, Any] = {"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}
    more = {"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}
    return [_at_version(version_of(kept)), more if finalizers(kept) else fresh]


def releasing(kept: Document) -> Operations:
    """Return the patch that takes the finalizer away, nothing when it is not there."""
    there = finalizers(kept)
    if FINALIZER not in there:
        return []
    path = f"/metadata/finalizers/{there.index(FINALIZER)}"
    return [_at_version(version_of(kept)), {"op": "remove", "path": path}]


def annotating(kept: Document, name: str, text: str) -> Operations:
    """Return the patch that sets an annotation of the object."""
    escaped = name.replace("~", "~0").replace("/", "~1")
    fresh: dict[str, Any] = {"op": "add", "path": "/metadata/annotations", "value": {name: text}}
    one = {"op": "add", "path": f"/metadata/annotations/{escaped}", "value": text}
    return [_at_version(version_of(kept)), one if kept["metadata"].get("annotations") else fresh]


def finalizers(kept: Document) -> Sequence[str]:
    """Return the finalizers of the object."""
    there: Sequence[str] = kept["metadata"].get("finalizers") or ()
    return there


def _at_version(expected: str) -> dict[str, Any]:
    """Return the operation that makes the API server refuse the patch, as a conflict, on any other version."""
    return {"op": "replace", "path": "/metadata/resourceVersion", "value": expected}

"""Rehearsals made for tests: a file's content from a few words, read as the command reads it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rollout.rehearsal.outcome import Outcome
from rollout.rehearsal.reading import Rehearsal, read_file
from rollout.rehearsal.rehearse import rehearse

STABLE, CANARY = "checkout-v1", "checkout-v2"
START = {"at": "0s", "command": "start", "revision": "v2"}
STEPS = ({"weight": 10, "hold": "30s"}, {"weight": 50, "hold": "30s"})


def manifest(*, steps: Sequence[Mapping[str, Any]] = STEPS, **spec: object) -> dict[str, Any]:
    """Return the manifest of a Rollout with one HTTPRoute, two backends and ``steps``."""
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {
            "routes": [{"kind": "HTTPRoute", "name": "checkout"}],
            "backends": {"stable": {"name": STABLE, "port": 8080}, "canary": {"name": CANARY, "port": 8080}},
            "steps": list(steps),
            **spec,
        },
    }


def scenario(*events: Mapping[str, Any], rollout: Mapping[str, Any] | None = None, **fields: object) -> dict[str, Any]:
    """Return the content of a rehearsal file: healthy backends, 100 requests per second, five minutes."""
    healthy = {"ready": "2/2", "errors": "0.1%", "latency": {"p50": "40ms", "p99": "200ms"}}
    return {
        "rollout": manifest() if rollout is None else rollout,
        "seed": 7,
        "until": "5m",
        "backends": {STABLE: healthy, CANARY: healthy},
        **fields,
        "events": list(events),
    }


def read(folder: Path, content: Mapping[str, Any]) -> Rehearsal:
    """Return ``content`` as a rehearsal, by way of a file in ``folder``."""
    path = folder / "rehearsal.yaml"
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return read_file(path)


def play(folder: Path, *events: Mapping[str, Any], **fields: Any) -> Outcome:  # noqa: ANN401 - as a file has them
    """Return what came of a rehearsal with ``events``."""
    return rehearse(read(folder, scenario(*events, **fields)))


def phases(outcome: Outcome) -> list[tuple[str, int, str]]:
    """Return (phase, step, reason) of every transition."""
    return [(made["phase"], made["step"], made["reason"]) for made in outcome.transitions]

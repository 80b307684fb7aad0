"""The Rollouts of the demo: writes a manifest for each service, and changes its revision.

Used by ``rollout.demo.trial``. A manifest is renamed into place whole, so that nobody reads half of one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rollout.demo.gateway import render


@dataclass(frozen=True, slots=True)
class DemoStep:
    """A step of the demo: the canary's weight in percent, and for how many seconds it holds."""

    weight: int
    hold_seconds: float


STEPS = (DemoStep(10, 5), DemoStep(25, 5), DemoStep(50, 5), DemoStep(95, 5))
"""The steps of the demo: much shorter than anybody's in production."""


PROBES = {"shop": "http: {path: /healthz}", "cart": "grpc: {}"}
"""How the backends of each service are asked whether they are well."""


def write_manifest(
    folder: Path, service: str, revision: str, steps: Sequence[DemoStep] = STEPS, *, failover: bool = False
) -> None:
    """Write the manifest of ``service`` into ``folder``, asking for ``revision``, and for ``failover`` where wanted."""
    lines = "\n".join(f"  - {{weight: {step.weight}, hold: {step.hold_seconds:g}s}}" for step in steps)
    backups = f"{{name: {service}-backup}}" if failover else ""
    more = render("failover.yaml", {"probe": PROBES[service]}) if failover else ""
    values = {"service": service, "revision": revision, "steps": lines, "backups": backups, "failover": more}
    text = render("rollout.yaml", values)
    whole = folder.parent / f"{service}.yaml.new"
    whole.write_text(text)
    os.replace(whole, folder / f"{service}.yaml")  # noqa: PTH105 - the rename is the point

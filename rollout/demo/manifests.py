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


def write_manifest(folder: Path, service: str, revision: str, steps: Sequence[DemoStep] = STEPS) -> None:
    """Write the manifest of ``service`` into ``folder``, asking for ``revision``."""
    lines = "\n".join(f"  - {{weight: {step.weight}, hold: {step.hold_seconds:g}s}}" for step in steps)
    text = render("rollout.yaml", {"service": service, "revision": revision, "steps": lines})
    whole = folder.parent / f"{service}.yaml.new"
    whole.write_text(text)
    os.replace(whole, folder / f"{service}.yaml")  # noqa: PTH105 - the rename is the point

"""Settings of ``rollout serve``, checked as a whole: every problem at once, by the name of the flag."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ServeSettings(BaseModel):
    """Everything that the envoy runtime needs to know.

    ``rds`` are the user's own RDS files, ``admin`` Envoy's admin address (``http://host:port``).
    Without ``prometheus`` the admin endpoint is the source of counters. ``tick_seconds`` is how
    often counters are asked for. ``gate_hosts`` are the hosts that gates and hooks may call.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    manifests: Path
    rds: Annotated[tuple[Path, ...], Field(min_length=1)]
    admin: Annotated[str, Field(pattern=r"^https?://[^/\s]+/?$")] = "http://127.0.0.1:9901"
    database: Path = Path("rollout.db")
    staging: Path | None = None
    prometheus: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    prometheus_token_file: Path | None = None
    prometheus_ca_file: Path | None = None
    tick_seconds: Annotated[float, Field(ge=0.2, le=3600)] = 10.0
    gate_hosts: tuple[str, ...] = ()

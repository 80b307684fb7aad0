"""The worlds of the machine: a Rollout that has failover, two backups, and everything quick."""

import json
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from rollout.rehearsal.reading import Rehearsal, read_file
from tests.stories.oracle import FALL, RISE

STABLE, CANARY, NEAR, FAR = "checkout-v1", "checkout-v2", "checkout-near", "checkout-far"
BACKUPS = (NEAR, FAR)
BACKENDS = (STABLE, CANARY, *BACKUPS)
MOST_FAILOVERS, PER, STABLE_FOR, COOLDOWN = 3, 120.0, 10.0, 5.0

SIGNALS: Mapping[str, dict[str, object]] = {
    "endpoints": {"endpoints": {}},
    "probe": {"probe": {"http": {"path": "/"}, "fall": FALL, "rise": RISE}},
    "both": {"endpoints": {}, "probe": {"http": {"path": "/"}, "fall": FALL, "rise": RISE}},
    "metrics": {"endpoints": {}, "metrics": {"window": "20s"}},
    "quorum": {
        "endpoints": {},
        "probe": {"http": {"path": "/"}, "fall": FALL, "rise": RISE},
        "metrics": {"window": "20s"},
        "combine": "Quorum(2)",
    },
}
FAILBACK = {
    "stableFor": f"{STABLE_FOR:g}s",
    "steps": [10, 50, 100],
    "stepInterval": "3s",
    "holdGrowth": {"factor": 2, "max": "40s"},
}


@cache
def rehearsal(strategy: str, signals: str, all_unhealthy: str, standby: int) -> Rehearsal:
    """Return a world with a Rollout that has failover, and two backups."""
    failover = {
        "strategy": strategy,
        "signals": SIGNALS[signals],
        "allUnhealthy": all_unhealthy,
        "standbyWeight": standby,
        "holdOff": "5s",
        "confirmFor": "1s",
        "failback": FAILBACK,
        "damping": {"cooldown": f"{COOLDOWN:g}s", "maxFailovers": MOST_FAILOVERS, "per": f"{PER:g}s"},
        "drill": {"schedule": "*/4 * * * *", "percent": 10, "duration": "20s"},
    }
    manifest = {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {
            "routes": [{"kind": "HTTPRoute", "name": "checkout"}],
            "backends": {
                "stable": {"name": STABLE, "port": 8080},
                "canary": {"name": CANARY, "port": 8080},
                "backups": [{"name": name, "port": 8080} for name in BACKUPS],
            },
            "steps": [{"weight": 25, "hold": "20s"}, {"weight": 50, "hold": "20s"}],
            "failover": failover,
        },
    }
    backends = {name: {"ready": "2/2", "errors": "0.1%"} for name in BACKENDS}
    content = {"rollout": manifest, "seed": 7, "backends": backends}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rehearsal.yaml"
        path.write_text(json.dumps(content), encoding="utf-8")
        return read_file(path)

"""How Prometheus scrapes the Envoys of the lab: with the rules that policies/envoy-gateway.yaml asks for."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ruamel.yaml import YAML

from tests.gateway.control import Proxy
from tests.gateway.enclosure import TREE

PROMETHEUS_PORT = 9090
POLICIES = TREE / "policies"
_RULES = "#   "


def configuration(proxies: Iterable[Proxy], scrape_seconds: int) -> str:
    """Return Prometheus' configuration (JSON is YAML, too)."""
    jobs = [
        {
            "job_name": proxy.gateway,
            "metrics_path": "/stats/prometheus",
            "static_configs": [{"targets": [f"127.0.0.1:{proxy.stats_port}"]}],
            "metric_relabel_configs": relabelling(),
        }
        for proxy in proxies
    ]
    return json.dumps({"global": {"scrape_interval": f"{scrape_seconds}s"}, "scrape_configs": jobs})


def relabelling() -> list[dict[str, object]]:
    """Return the rules that stand in the policy's comment, so that what is documented is what is tested."""
    lines = (POLICIES / "envoy-gateway.yaml").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line.removeprefix(_RULES) for line in lines if line.startswith(_RULES))
    rules: list[dict[str, object]] = YAML(typ="safe").load(text)
    return rules


def policies() -> Iterable[dict[str, object]]:
    """Return the policies for Envoy Gateway."""
    for path in sorted(POLICIES.glob("envoy-gateway*.yaml")):
        yield YAML(typ="safe").load(path.read_text(encoding="utf-8"))

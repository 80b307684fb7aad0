"""Facts about the alerts: each fires when it should, is quiet when it should, and leads to a page of the runbook."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from rollout.meter_table import TABLE, Kind
from tests.deploy.rendering import DEPLOY
from tests.tools import find_promtool, missing

RULES = DEPLOY / "prometheus" / "rules.yaml"
CASES: Mapping[str, Any] = YAML(typ="safe").load(Path(__file__).with_name("alerts.yaml").read_text(encoding="utf-8"))
ALERTS: Mapping[str, Any] = {
    rule["alert"]: rule
    for group in YAML(typ="safe").load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}
QUIET = [(alert, why) for alert, cases in CASES.items() for why in cases["quiet"]]


def against(folder: Path, alert: str, case: Mapping[str, Any]) -> str:
    """Return what promtool has against this case; nothing when it is so. A case without a summary is a quiet one."""
    promtool = find_promtool() or missing("no promtool on PATH or in the cache: run `make tools`")
    told = []
    if "summary" in case:
        annotations = {**ALERTS[alert]["annotations"], "summary": case["summary"]}
        told = [{"exp_labels": {**ALERTS[alert]["labels"], **case["labels"]}, "exp_annotations": annotations}]
    series = [{"series": name, "values": str(values)} for name, values in case["series"].items()]
    asked = {"eval_time": f"{case['at']}m", "alertname": alert, "exp_alerts": told}
    test = {"interval": "1m", "input_series": series, "alert_rule_test": [asked]}
    file = folder / "test.yaml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": [test]}), encoding="utf-8")
    command = [str(promtool), "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_every_alert_has_its_cases() -> None:
    """None is told of that was not seen to fire, and to be quiet."""
    assert CASES.keys() == ALERTS.keys()


@pytest.mark.real
@pytest.mark.parametrize("alert", CASES)
def test_it_fires(tmp_path: Path, alert: str) -> None:
    """With these labels and this sentence, once for all replicas."""
    assert against(tmp_path, alert, CASES[alert]["fires"]) == ""


@pytest.mark.real
@pytest.mark.parametrize(("alert", "why"), QUIET, ids=[f"{alert}: {why}" for alert, why in QUIET])
def test_it_is_quiet(tmp_path: Path, alert: str, why: str) -> None:
    """Where nobody should be woken by it."""
    assert against(tmp_path, alert, CASES[alert]["quiet"][why]) == ""


@pytest.mark.parametrize("alert", ALERTS)
def test_it_says_what_to_do(alert: str) -> None:
    """How urgent it is, what it means, and a page that is there."""
    rule = ALERTS[alert]

    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert (DEPLOY.parent / rule["annotations"]["runbook"]).is_file()


def series() -> Iterator[str]:
    """Yield every series that a case has."""
    for cases in CASES.values():
        for case in (cases["fires"], *cases["quiet"].values()):
            yield from case["series"]


@pytest.mark.parametrize("one", sorted(set(series())))
def test_cases_are_made_of_metrics_that_there_are(one: str) -> None:
    """An alert that fires on a metric with a wrong name or label would never fire at night."""
    endings = {Kind.COUNTER: ("_total",), Kind.GAUGE: ("",), Kind.HISTOGRAM: ("_bucket", "_count", "_sum")}
    rows = {f"{row.name}{ending}": row for row in TABLE for ending in endings[row.kind]}
    name, _, rest = one.partition("{")
    labels = {part.partition("=")[0] for part in rest.rstrip("}").split(",")}
    of_scrape = {"job", "instance", "pod"} | ({"le"} if name.endswith("_bucket") else set())
    known = name == "up" or name in rows
    own = set(rows[name].labels) if name in rows else set()

    assert known
    assert own - {"version"} <= labels
    assert labels - own - of_scrape <= ({"namespace"} if "namespace" not in own else set())

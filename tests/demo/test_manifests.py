"""The manifests of the demo."""

from pathlib import Path

from ruamel.yaml import YAML

from rollout.demo.manifests import STEPS, DemoStep, write_manifest
from rollout.demo.world import SERVICES
from rollout.spec.checking import check


def written(folder: Path, *, failover: bool) -> list[tuple[str, str]]:
    """Return the names and texts of the demo's manifests."""
    for service in SERVICES:
        write_manifest(folder, service, "v1", failover=failover)
    return [(path.name, path.read_text()) for path in sorted(folder.iterdir())]


def test_manifests_have_no_problem(tmp_path: Path) -> None:
    """What the demo asks for passes the checks of `rollout lint`, warnings too, at the demo's traffic."""
    assert check(written(tmp_path, failover=False), requests_per_second=200).problems == ()


def test_failover_is_patient_with_a_busy_machine(tmp_path: Path) -> None:
    """The one warning is about a timeout that is longer than the interval, which is meant."""
    problems = check(written(tmp_path, failover=True), requests_per_second=200).problems

    assert {problem.field for problem in problems} == {"spec.failover.signals.probe.timeout"}
    assert all(problem.warning for problem in problems)


def test_whole_demo_fits_its_time() -> None:
    """The hold times of a promotion leave most of the demo's 120 seconds to the rest."""
    assert sum(step.hold_seconds for step in STEPS) <= 30


def test_revision_changes_in_place(tmp_path: Path) -> None:
    """Writing again replaces the manifest, and leaves no other file in the folder."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    write_manifest(folder, "shop", "v1")
    write_manifest(folder, "shop", "v2", (DemoStep(10, 30),))
    document = YAML(typ="safe").load((folder / "shop.yaml").read_text())

    assert [path.name for path in folder.iterdir()] == ["shop.yaml"]
    assert document["spec"]["revision"] == "v2"
    assert document["spec"]["steps"] == [{"weight": 10, "hold": "30s"}]

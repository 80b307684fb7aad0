"""Facts about the documents of the rehearsal: what they show runs, and what they list is all there is."""

from pathlib import Path

from rollout.rehearsal.backend import Backend
from rollout.rehearsal.reading import read_file
from rollout.rehearsal.rehearse import rehearse
from rollout.rehearsal.scenario import KINDS, Scenario

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = (DOCS / "reference" / "rehearsal.md").read_text(encoding="utf-8")


def test_the_tutorial_ends_as_it_says() -> None:
    """Its canary is rolled back within three looks after the errors begin."""
    outcome = rehearse(read_file(DOCS / "tutorial" / "checkout.yaml"))
    [at] = [made["at"] for made in outcome.transitions if made["phase"] == "Aborting"]

    assert outcome.final["reason"] == "EvidenceOfErrors"
    assert 180 < at < 211


def test_the_tutorial_of_failover_goes_as_it_says() -> None:
    """Everything is at the backup after three probes and two seconds, and the attempt ends after the way back."""
    outcome = rehearse(read_file(DOCS / "tutorial" / "failover.yaml"))
    moves = [made["reason"] for made in outcome.transitions if made["reason"] in {"FailedOver", "FailedBack"}]
    [away] = [made for made in outcome.transitions if made["reason"] == "FailedOver"]

    assert (moves, outcome.final["reason"]) == (["FailedOver", "FailedBack"], "Promoted")
    assert away["weights"] == {"checkout-v1": 0, "checkout-v2": 0, "checkout-dr": 100}
    assert 125 <= away["at"] < 126


def test_the_reference_has_every_field() -> None:
    """Fields of the file, of a backend and kinds of events are all told of."""
    fields = [field.alias or name for model in (Scenario, Backend) for name, field in model.model_fields.items()]

    assert [name for name in (*fields, *KINDS) if f"{name}:" not in REFERENCE and f"`{name}`" not in REFERENCE] == []

"""Rollouts as rows: what stands where there is nothing to say."""

import pytest

from rollout.cli.rows import names_of, row_of, summary_of, unix_of
from tests.cli.answers import BORN, document, live, summary


def test_a_row_has_a_cell_for_each_column() -> None:
    """The age is seen from now."""
    assert row_of(summary(), now=BORN + 7200) == [
        *("default", "checkout", "Progressing", "2/4", "25%", "checkout-v1", "v1.4.2", "Normal", "2h"),
    ]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("2026-09-21T14:13:20Z", BORN),
        ("2026-09-21T16:13:20+02:00", BORN),
        (BORN, BORN),
        (None, 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ([], 0.0),
    ],
)
def test_a_moment_is_read_as_it_comes(given: object, seconds: float) -> None:
    """As Kubernetes writes it, or as a number; what cannot be read is none."""
    assert unix_of(given) == seconds


def test_a_summary_of_one_is_that_of_the_list() -> None:
    """Made of its resource and of where it stands."""
    assert summary_of(document(), live()) == summary(message=live().message)


def test_an_odd_resource_has_a_summary() -> None:
    """A later server may leave something out."""
    odd = {"metadata": {"generation": "x", "labels": 3, "deletionTimestamp": "2026-09-21T14:13:20Z"}, "status": None}
    nothing = {"intended": {}, "observed": {}, "effective": "Unknown"}
    found = summary_of(odd, live(weights=nothing))

    assert (found.generation, found.labels, found.created_at, found.weight) == (0, {}, 0.0, 0.0)
    assert found.deleting


def test_names_are_as_commands_take_them() -> None:
    """With their namespace."""
    assert names_of([summary("a"), summary("b", namespace="shop")]) == ["default/a", "shop/b"]

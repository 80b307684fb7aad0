"""What stands at the end of the demo."""

from rich.console import Console

from rollout.demo.acts import ActName, Outcome
from rollout.demo.report import as_json, as_table
from tests.demo.builders import SENTENCE, a_result, a_service_result


def test_json_has_the_fixed_shape() -> None:
    """Programs read act, outcome, seconds, first_bad_to_zero_seconds, requests and failed of each act."""
    good = a_result(a_service_result("shop", Outcome.PROMOTED, zero=None), act=ActName.GOOD)

    assert as_json([good, a_result()]) == {
        "acts": [
            {
                "act": "good",
                "outcome": "promoted",
                "seconds": 8.5,
                "first_bad_to_zero_seconds": None,
                "requests": 1600,
                "failed": 8,
            },
            {
                "act": "errors",
                "outcome": "rolledBack",
                "seconds": 8.5,
                "first_bad_to_zero_seconds": 4.5,
                "requests": 3200,
                "failed": 16,
            },
        ]
    }


def test_table_tells_every_service_and_where_to_look_next() -> None:
    """People read a row for each service, the sentence why, and what to do next."""
    console = Console(width=160, record=True, quiet=False, file=None)
    with console.capture() as written:
        console.print(as_table([a_result()]))

    text = written.get()
    assert text.count("rolled back") == 2
    assert SENTENCE in text
    assert all(word in text for word in ("4.5 s", "rollout rehearse", "rollout lint", "deploy/envoy", "docs/"))

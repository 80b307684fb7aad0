"""What stands at the end of the demo."""

from rich.console import Console

from rollout.demo.acts import ActName, Outcome
from rollout.demo.report import as_json, as_table, figures_text, ramp_text
from tests.demo.builders import LEFT, SENTENCE, a_failover_result, a_result, a_service_result


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


def test_json_of_a_failover_has_its_figures_too() -> None:
    """Programs also read the longest time to a first answer of a backup, and the way back of each service."""
    ramp = [{"seconds": 0.0, "percent": 10}, {"seconds": 3.02, "percent": 50}, {"seconds": 6.04, "percent": 100}]

    assert as_json([a_failover_result()]) == {
        "acts": [
            {
                "act": "failover",
                "outcome": "failedBack",
                "seconds": 17.0,
                "first_bad_to_zero_seconds": None,
                "requests": 6000,
                "failed": 46,
                "first_backup_answer_seconds": 0.112,
                "failback_ramp": {"shop": ramp, "cart": ramp},
            }
        ]
    }


def test_table_of_a_failover_stands_beside_the_other() -> None:
    """Seconds to the first answer of the backup, failed requests, and the way back."""
    console = Console(width=160)
    with console.capture() as written:
        console.print(as_table([a_result(), a_failover_result()]))

    text = written.get()
    assert all(
        word in text for word in ("failed back", "0.11 s", "0.10 s", "10% at 0.0 s, 50% at 3.0 s, 100% at 6.0 s")
    )
    assert LEFT in text


def test_what_did_not_happen_is_a_dash() -> None:
    """A backup that answered nothing has no time, and a traffic that did not come back no way."""
    assert ramp_text(()) == "–"
    assert "0.10 s" in figures_text(a_failover_result(took_seconds=None))
    assert figures_text(a_result(a_service_result("shop", None, zero=None))) == ""


def test_table_tells_every_service_and_where_to_look_next() -> None:
    """People read a row for each service, the sentence why, and what to do next."""
    console = Console(width=160, record=True, quiet=False, file=None)
    with console.capture() as written:
        console.print(as_table([a_result()]))

    text = written.get()
    assert text.count("rolled back") == 2
    assert SENTENCE in text
    assert all(word in text for word in ("4.5 s", "rollout rehearse", "rollout lint", "deploy/envoy", "docs/"))

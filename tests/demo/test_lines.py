"""The demo told in lines."""

from rollout.demo.lines import Lines
from rollout.engine.table import Phase
from tests.demo.builders import LEFT, a_failover, a_failover_result, a_result, a_scene, a_stage, a_state, a_transition


def test_each_decision_is_told_once() -> None:
    """Looking again at the same decisions writes nothing new."""
    written: list[str] = []
    lines = Lines(written.append)
    scene = a_scene(a_stage("shop", a_state(transitions=[a_transition(1), a_transition(2)])))
    lines.look(scene)
    before = len(written)
    lines.look(scene)

    assert [line for line in written if "Sentence" in line] == [
        " 12.0s  shop: Progressing (shop-blue 90, shop-green 10) StepStarted: Sentence 1 of shop.",
        " 12.0s  shop: Progressing (shop-blue 90, shop-green 10) StepStarted: Sentence 2 of shop.",
    ]
    assert len(written) == before


def test_decisions_of_both_services_stand_in_order_of_time() -> None:
    """The services' numbers are their own; the time orders their lines."""
    written: list[str] = []
    shop = a_state(transitions=[a_transition(1, at=5.0)])
    cart = a_state("cart", transitions=[a_transition(1, Phase.IDLE, at=4.0, service="cart")])
    Lines(written.append).look(a_scene(a_stage("shop", shop), a_stage("cart", cart)))

    assert [line.partition("Sentence ")[2] for line in written if "Sentence" in line] == ["1 of cart.", "1 of shop."]


def test_act_begins_with_its_title_and_traffic_is_told_now_and_then() -> None:
    """A new act has a line; the traffic has one every five seconds."""
    written: list[str] = []
    lines = Lines(written.append)
    for second in (0.0, 1.0, 4.9, 5.1):
        lines.look(a_scene(a_stage(failed=3), elapsed_seconds=second))

    assert written[0] == "  0.0s  act 2 of 3, errors: a version that fails 5% of its requests"
    assert [line[:6] for line in written if "traffic: shop 200/s, 3 failed, p99 60 ms" in line] == ["  0.0s", "  5.1s"]


def test_end_of_an_act_is_told_with_its_figures() -> None:
    """Outcome, time to weight 0, requests and failures stand in one line."""
    written: list[str] = []
    Lines(written.append).ended(a_result())

    assert written == [
        "  0.0s  errors: rolled back in 8.5 s, 4.5 s after the first bad answer; 3200 requests, 16 failed"
    ]


def test_failover_is_told_with_where_it_stands() -> None:
    """The line says FailedOver where the attempt is at rest, and the end has the time to the backup's first answer."""
    written: list[str] = []
    lines = Lines(written.append)
    lines.look(a_scene(a_stage(state=a_failover())))
    lines.ended(a_failover_result())

    assert written[1] == f" 12.0s  shop: FailedOver (shop-blue 0, shop-backup 100) FailedOver: {LEFT}"
    assert written[-1] == (
        " 12.0s  failover: failed back in 17.0 s, first answer of a backup 0.11 s after the kill; "
        "6000 requests, 46 failed"
    )

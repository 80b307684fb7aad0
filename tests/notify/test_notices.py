"""Notices and messages say the same of the same transition, in bounded text, under an id that never changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from rollout.analysis.reasons import Reason as Judged
from rollout.engine.reasons import Reason
from rollout.engine.state import Failing, State
from rollout.engine.table import Phase
from rollout.failover.reasons import Reason as Why
from rollout.failover.table import Stage
from rollout.notify.message import Kind, Level, Message
from rollout.notify.notices import Totals, digest_of, earlier_of, message_of, notice_of, trial
from rollout.notify.sinks import Templates
from rollout.notify.texts import width
from rollout.ports import Key
from tests.notify import made
from tests.notify.made import KEY, notice, transition


def test_an_id_never_changes() -> None:
    """The id of a transition is known once and for all, whatever else is known of it."""
    told = notice_of(KEY, "u-1", transition(), state=State(attempt=3, revision="v2"), link="https://a.example")

    assert told.id == notice_of(KEY, "u-1", transition(reason="Other", message="another")).id
    assert told.id == "tr_3dbeaebc8779c107415a217a"


@pytest.mark.parametrize(
    ("key", "uid", "number", "at"),
    [
        (Key("shop", "checkout"), "u-2", 7, made.AT),
        (Key("shop", "other"), "u-1", 7, made.AT),
        (Key("sho", "pcheckout"), "u-1", 7, made.AT),
        (Key("shop", "checkout"), "u-1", 8, made.AT),
        (Key("shop", "checkout"), "u-1", 7, made.AT + 1e-6),
        (Key("shop", "checkout"), "u-17", 7, made.AT),
    ],
)
def test_no_two_transitions_have_one_id(key: Key, uid: str, number: int, at: float) -> None:
    """Another life of the name, another Rollout, number or time gives another id."""
    assert notice_of(key, uid, transition(number=number, at=at)).id != notice().id


def test_a_notice_knows_the_steps_and_revision_of_its_own_attempt() -> None:
    """What only the live state knows is told as long as it is of the same attempt."""
    state = State(attempt=3, revision="v2", steps_seen=(5.0, 50.0))
    same = notice_of(KEY, "u", transition(), state=state)
    before = notice_of(KEY, "u", transition(attempt=2), state=state)

    assert (same.steps, same.revision) == (2, "v2")
    assert (before.steps, before.revision) == (0, "")


def test_a_notice_has_what_was_recorded() -> None:
    """Phase, step, weights and failover are those of the transition."""
    told = notice(Why.FAILED_OVER, Phase.IDLE, failover=Failing(Stage.FAILED_OVER, "checkout-dr", 4))

    assert (told.phase, told.step, told.weights) == ("Idle", 1, {"checkout-v1": 90, "checkout-v2": 10})
    assert (told.stage, told.active, told.epoch, told.level) == ("FailedOver", "checkout-dr", 4, Level.WARNING)


def test_an_old_transition_has_no_weights() -> None:
    """A transition that was kept in short tells no weights, rather than none of all."""
    assert notice(weights=()).weights is None


@pytest.mark.parametrize(
    ("template", "link"),
    [
        (
            "https://a.example/{{ rollout.namespace }}/{{rollout.name}}#{{ number }}",
            "https://a.example/shop/checkout#7",
        ),
        ("HTTP://a.example/{{ message }}", "HTTP://a.example/a%2F..%3Fb%3D1%26c%23%20%3Cd%3E"),
        ("https://a.example/ü x|y", "https://a.example/%C3%BC%20x%7Cy"),
        ("https://a.example/{{ link }}", "https://a.example/"),
        ("javascript:alert(1)", ""),
        ("{{ message }}", ""),
        ("https://a.example/" + "x" * 2000, ""),
    ],
)
def test_a_link_is_an_address_and_values_are_parts_of_it(template: str, link: str) -> None:
    """Values are percent-encoded in a link; what is no address of the web, or too long, is left out."""
    assert notice_of(KEY, "u", transition(message="a/..?b=1&c# <d>"), link=template).link == link


def test_a_message_says_who_what_why_and_where() -> None:
    """A message of a transition has its id, its title, and the sentence of the status with the numbers."""
    told = notice(Judged.EVIDENCE_OF_ERRORS, Phase.ABORTING, message="12 of 100 requests failed", step=2)
    message = message_of(replace(told, steps=5, revision="v2"), thread="C1:1.2")

    assert message == Message(
        id=told.id,
        kind=Kind.TRANSITION,
        title="shop/checkout: Aborting (evidence of errors)",
        text="12 of 100 requests failed. Attempt 3, step 2 of 5, revision v2, weights checkout-v1 90, checkout-v2 10.",
        level=Level.BAD,
        notices=(replace(told, steps=5, revision="v2"),),
        key=KEY,
        thread="C1:1.2",
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"message": "Done!", "attempt": 0, "step": 0, "weights": ()}, "Done!"),
        ({"message": "", "attempt": 0, "step": 2, "weights": ()}, "Step 2."),
        ({"message": "", "attempt": 0, "step": 0, "weights": ()}, ""),
        (
            {
                "message": "Away.",
                "attempt": 0,
                "step": 0,
                "weights": (),
                "failover": Failing(Stage.FAILED_OVER, "dr", 4),
            },
            "Away. Failover 4 failed over on dr.",
        ),
        (
            {"message": "Wait.", "attempt": 0, "step": 0, "weights": (), "failover": Failing(Stage.LATCHED, "", 4)},
            "Wait. Failover 4 latched.",
        ),
        (
            {"message": "At home.", "attempt": 1, "step": 0, "weights": (), "failover": Failing(Stage.NORMAL, "", 4)},
            "At home. Attempt 1.",
        ),
    ],
)
def test_a_text_tells_what_is_known(fields: dict[str, object], text: str) -> None:
    """Numbers that a transition does not have are not told."""
    assert message_of(notice(**fields)).text == text  # type: ignore[arg-type]


def test_templates_replace_title_and_text() -> None:
    """The operator's words stand in place of ours, with values on one line each."""
    words = Templates(
        title="{{ rollout.name }} {{ reason }}", text="{{ message }}\n\nNumber {{ number }}, {{ weights }}"
    )
    message = message_of(notice(message="a\nb"), templates=words)

    assert message.title == "checkout StepStarted"
    assert message.text == "a b\nNumber 7, checkout-v1 90, checkout-v2 10"


def test_templates_that_come_to_nothing_are_not_used() -> None:
    """A title or text that would be empty is in our words."""
    message = message_of(notice(), templates=Templates(title="{{ revision }}", text="{{ revision }}"))

    assert message.title == "shop/checkout: Step started"
    assert message.text.startswith("Step 1 of 2. Attempt 3")


def test_a_long_name_leaves_room_for_what_happened() -> None:
    """A title says what happened, however long the name is."""
    told = notice_of(Key("n" * 200, "m" * 200), "u", transition())

    assert message_of(told).title.endswith("…: Step started")


def test_a_digest_is_one_message_of_many() -> None:
    """A digest counts what is in it by level, has the worst one, and a line for each."""
    other = notice_of(Key("shop", "cart"), "u-2", transition(Reason.PROMOTED, Phase.IDLE, message="All weight."))
    bad = notice(Reason.OWNERSHIP_CONFLICT)
    message = digest_of([bad, other], Totals(4, {Level.BAD: 2, Level.GOOD: 1, Level.NEWS: 2}))

    assert message.title == "5 transitions of 4 Rollouts (2 bad, 1 good)"
    assert message.text.splitlines() == [
        "shop/checkout: Ownership conflict. Step 1 of 2.",
        "shop/cart: Promoted. All weight.",
        "and 3 more",
    ]
    assert (message.level, message.notices, message.more) == (Level.BAD, (bad, other), 3)


@pytest.mark.parametrize(("amount", "said"), [(1, "1 earlier transition"), (60, "60 earlier transitions")])
def test_a_digest_says_what_was_kept_no_more(amount: int, said: str) -> None:
    """Also when there is nothing else to say."""
    message = digest_of([], Totals(2, {}, folded=amount))

    assert message.title == f"{amount} transition{'s' * (amount > 1)} of 2 Rollouts"
    assert message.text.startswith(f"{said} could not be told one by one")
    assert (message.level, message.more, message.folded) == (Level.WARNING, amount, amount)


def test_a_digest_of_news_counts_no_levels() -> None:
    """News have no count of their own."""
    assert made.listing([notice()]).title == "1 transition of 1 Rollout"


def test_the_id_of_a_digest_follows_from_what_is_in_it() -> None:
    """The same notices in the same order are the same digest."""
    other = notice(number=8)

    assert made.listing([notice(), other]).id == made.listing([notice(), other]).id
    assert len({made.listing(told).id for told in ([notice(), other], [other, notice()], [notice()])}) == 3
    assert made.listing([notice()], more=1).id != made.listing([notice()]).id
    assert digest_of([], Totals(1, {}, 5, ("a",))).id != digest_of([], Totals(1, {}, 5, ("b",))).id


@pytest.mark.parametrize(
    ("first", "last", "title", "numbers"),
    [
        (5, 16, "shop/checkout: 12 earlier transitions", "numbers 5 to 16"),
        (5, 5, "shop/checkout: 1 earlier transition", "number 5"),
    ],
)
def test_earlier_ones_are_told_as_a_number(first: int, last: int, title: str, numbers: str) -> None:
    """What is kept no more is counted, under an id that follows from which they were."""
    message = earlier_of(KEY, "u-1", first=first, last=last, before=made.AT)

    assert (message.title, message.more, message.key) == (title, last - first + 1, KEY)
    assert numbers in message.text
    assert message.id == earlier_of(KEY, "u-1", first=first, last=last, before=made.AT).id


def test_earlier_ones_of_another_life_are_others() -> None:
    """Also where the platform gives no uid: who drops what it has had would never hear of the second ones."""
    lives = [("u-1", made.AT), ("u-2", made.AT), ("", made.AT), ("", made.AT + 1e-6)]

    assert len({earlier_of(KEY, uid, first=1, last=9, before=at).id for uid, at in lives}) == len(lives)


def test_a_trial_says_that_it_is_one() -> None:
    """A trial says by whom and when it was asked for, and no two are the same."""
    message = trial("pager", by="ann", at=made.AT)

    assert message.title == "Trial of the sink pager"
    assert "ann at 2025-12-29T09:20:00.250Z" in message.text
    assert message.id != trial("pager", by="ann", at=made.AT).id


def test_a_trial_by_nobody_known_says_so() -> None:
    """Who asked may not be known."""
    assert "a person unknown" in trial("pager", by="", at=0.0).text


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(message=made.messages)
def test_texts_are_bounded_and_clean(message: Message) -> None:
    """A title is one line of at most 120, a text at most 2,000 characters, and both can be sent in UTF-8."""
    assert 1 <= width(message.title) <= 120
    assert width(message.text) <= 2000
    assert (message.title + message.text).encode()
    assert not {letter for letter in message.title + message.text if letter < " " and letter != "\n"}
    assert "\n" not in message.title

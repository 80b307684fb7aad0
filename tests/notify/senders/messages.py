"""Messages and sinks as tests of the senders need them."""

from collections.abc import Mapping
from dataclasses import replace

from rollout.notify.message import Kind, Level, Message, Notice
from rollout.notify.sinks import Sink
from rollout.ports import Key

KEY = Key("shop", "checkout")


def notice(number: int = 7, *, level: Level = Level.NEWS) -> Notice:
    """Return the notice of one transition."""
    return Notice(
        id=f"tr_{number:024x}",
        key=KEY,
        number=number,
        at=1_790_000_000.5,
        reason="StepPassed",
        message="Step 2 of 4 passed: 0.1 % errors, at most 1 % are allowed.",
        level=level,
        phase="Progressing",
        attempt=3,
        step=2,
        steps=4,
        revision="v42",
        weights={"checkout-stable": 75, "checkout-canary": 25},
        link="https://rollout.example/shop/checkout",
    )


def message(number: int = 7, *, level: Level = Level.NEWS, thread: str = "") -> Message:
    """Return the message of one transition."""
    one = notice(number, level=level)
    return Message(
        id=one.id,
        kind=Kind.TRANSITION,
        title="shop/checkout: step 2 of 4 passed",
        text=one.message,
        level=level,
        notices=(one,),
        key=KEY,
        thread=thread,
    )


def plain(one: Message) -> Message:
    """Return the message as it is sent when it was refused with all its trimmings."""
    return replace(one, notices=())


def sink(kind: str, fields: Mapping[str, object]) -> Sink:
    """Return the sink ``team`` of this kind."""
    return Sink.model_validate({"name": "team", "kind": kind, "timeout": "5s", **fields})

"""Whether gateways serve a route as it stands, row by row."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from rollout.engine.observation import Acceptance
from rollout.kube.routeacceptance import LONGEST_MESSAGE, acceptance, cut
from tests.kube.routedocuments import BACK, FRONT, KEY, OTHERS, OURS, condition, fine, ref, route, rule, said

ACCEPTED, PENDING, REFUSED = Acceptance.ACCEPTED, Acceptance.PENDING, Acceptance.REFUSED
NO = condition("Accepted", "False", reason="NoMatchingParent", message="no such listener")
SPELLED_OUT = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "shop", "name": "front"}
ROWS: list[tuple[str, Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]], Acceptance, str]] = [
    ("served", [FRONT], [fine()], ACCEPTED, ""),
    ("served by the generation after", [FRONT], [fine(seen=5)], ACCEPTED, ""),
    ("spelled out in the status only", [FRONT], [fine(parent=SPELLED_OUT)], ACCEPTED, ""),
    ("no word", [FRONT], [], PENDING, "no gateway has said anything of it for its parent front yet"),
    ("no parent", [], [fine()], PENDING, "it names no parent, so that no gateway serves it"),
    (
        "stale",
        [FRONT],
        [fine(seen=3)],
        PENDING,
        f"{OURS} has seen generation 3 only, and the route is at 4",
    ),
    (
        "half stale",
        [FRONT],
        [said(condition("Accepted"), condition("ResolvedRefs", seen=3))],
        PENDING,
        f"{OURS} has seen generation 3 only, and the route is at 4",
    ),
    (
        "refused in a generation before",
        [FRONT],
        [said(condition("Accepted", "False", seen=3), condition("ResolvedRefs"))],
        PENDING,
        f"{OURS} has seen generation 3 only, and the route is at 4",
    ),
    ("half said", [FRONT], [said(condition("Accepted"))], PENDING, f"{OURS} has not said ResolvedRefs yet"),
    (
        "nothing said",
        [FRONT],
        [{"parentRef": FRONT}],
        PENDING,
        "the gateway has not said Accepted yet; ...",
    ),
    (
        "not sure",
        [FRONT],
        [said(condition("Accepted", "Unknown", reason="Pending"), condition("ResolvedRefs"))],
        PENDING,
        f"{OURS} says Accepted Unknown (Pending)",
    ),
    (
        "refused",
        [FRONT],
        [said(NO, condition("ResolvedRefs"))],
        REFUSED,
        f"{OURS} says Accepted False (NoMatchingParent: no such listener)",
    ),
    ("refused without a reason", [FRONT], [said({**NO, "reason": "", "message": ""})], REFUSED, "... Accepted False"),
    ("one parent of two is served", [FRONT, BACK], [fine()], PENDING, "... its parent back (https) yet"),
    ("both are served", [FRONT, BACK], [fine(), fine(parent=BACK)], ACCEPTED, ""),
    (
        "one waits and one refuses",
        [FRONT, BACK],
        [fine(seen=2), said(NO, parent=BACK)],
        REFUSED,
        f"{OURS} says Accepted False (NoMatchingParent: no such listener)",
    ),
    ("another section", [FRONT], [fine(parent={**FRONT, "sectionName": "https"})], PENDING, "..."),
    ("another port", [{**FRONT, "port": 80}], [fine(parent={**FRONT, "port": 443})], PENDING, "..."),
    ("another namespace", [FRONT], [fine(parent={**FRONT, "namespace": "infra"})], PENDING, "..."),
    ("another kind", [FRONT], [fine(parent={**FRONT, "group": "", "kind": "Service"})], PENDING, "..."),
    ("ours serves, another's refuses", [FRONT], [said(NO, by=OTHERS), fine()], ACCEPTED, ""),
    ("ours serves, another's waits", [FRONT], [fine(seen=1, by=OTHERS), fine()], ACCEPTED, ""),
    (
        "ours waits, another's refuses",
        [FRONT],
        [fine(seen=3), said(NO, by=OTHERS)],
        REFUSED,
        f"{OTHERS} says Accepted False (NoMatchingParent: no such listener)",
    ),
    ("a parent that was left refuses", [FRONT], [fine(), said(NO, parent=BACK)], ACCEPTED, ""),
    ("only a parent that was left serves", [FRONT], [fine(parent=BACK)], PENDING, "..."),
]


@pytest.mark.parametrize(
    ("parents", "told", "expected", "why"), [row[1:] for row in ROWS], ids=[row[0].replace(" ", "-") for row in ROWS]
)
def test_the_status_says_whether_gateways_serve_it(
    parents: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]], expected: Acceptance, why: str
) -> None:
    """All parents must serve the present generation; one controller for each is enough."""
    found, message = acceptance(KEY, route(parents=parents, told=told))

    assert found is expected
    assert message == why or ("..." in why and all(part in message for part in why.split("...")))


def test_a_route_without_status_waits() -> None:
    """A new route has neither generation seen nor parents."""
    assert acceptance(KEY, {"spec": {"parentRefs": [FRONT]}})[0] is PENDING


def test_the_grants_that_are_missing_are_named() -> None:
    """Whoever reads the message can write the ReferenceGrant: where, for whom and to what."""
    refs = condition("ResolvedRefs", "False", reason="RefNotPermitted", message="not allowed")
    foreign = rule(ref("v1"), ref("v2", namespace="bank"), ref("v2", namespace="bank"), ref("v3", namespace="shop"))

    found, message = acceptance(KEY, route(foreign, told=[said(condition("Accepted"), refs)]))

    assert found is REFUSED
    assert message == (
        f"{OURS} says ResolvedRefs False (RefNotPermitted: not allowed); it needs a ReferenceGrant in namespace bank "
        "from HTTPRoute of namespace shop to Service v2"
    )


def test_many_missing_grants_are_counted() -> None:
    """Three are named, and the message says how many more there are."""
    refs = condition("ResolvedRefs", "False", reason="RefNotPermitted")
    foreign = rule(*(ref(f"v{number}", namespace="bank") for number in range(5)))

    _, message = acceptance(KEY, route(foreign, told=[said(condition("Accepted"), refs)]))

    assert message.count("a ReferenceGrant in namespace bank") == 3
    assert message.endswith("to Service v2, and 2 more")


def test_a_refusal_for_a_backend_of_another_kind_names_no_grant() -> None:
    """A ReferenceGrant to a Service is of no use there."""
    refs = condition("ResolvedRefs", "False", reason="RefNotPermitted")
    foreign = rule(ref("v1", namespace="bank", group="x.io", kind="ServiceImport"))

    _, message = acceptance(KEY, route(foreign, told=[said(condition("Accepted"), refs)]))

    assert message == f"{OURS} says ResolvedRefs False (RefNotPermitted)"


def test_what_gateways_say_is_bounded() -> None:
    """A condition may say 32 KiB on many lines, and there may be 32 of them."""
    long = condition("Accepted", "False", reason="Bad", message="no\n" * 10_000)
    told = [said(long, by=f"example.com/{number}", parent={"name": f"p{number}"}) for number in range(32)]

    _, message = acceptance(KEY, route(parents=[{"name": f"p{number}"} for number in range(32)], told=told))

    assert len(message) == LONGEST_MESSAGE
    assert "\n" not in message


def test_a_cut_text_shows_that_it_was_cut() -> None:
    """The last character says that there was more."""
    assert cut("a  b\nc", 5) == "a b c"
    assert cut("abcdef", 5) == "abcd…"

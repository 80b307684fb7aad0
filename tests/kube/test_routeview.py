"""Routes of the Gateway API as values, and what of them stays in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from rollout.engine.observation import Acceptance, BackendKey, Ref, RouteView, Rule
from rollout.engine.weights import is_same
from rollout.kube.resources import MANAGER, version_of
from rollout.kube.routeview import ALLOW, changed_by, kept, view_of, written_at
from tests.kube.routedocuments import BACK, KEY, OURS, condition, fine, owner, ref, route, rule, said

V1, V2 = BackendKey("shop", "v1", 8080), BackendKey("shop", "v2", 8080)
IMPORT = {"group": "multicluster.x-k8s.io", "kind": "ServiceImport"}
REFS: list[tuple[str, dict[str, Any], Ref]] = [
    ("a Service", ref("v1", 90), Ref(V1, 90)),
    ("a Service, spelled out", ref("v1", 90, group="", kind="Service", namespace="shop"), Ref(V1, 90)),
    ("without weight", ref("v1", None), Ref(V1, 1)),
    ("weight 0", ref("v1", 0), Ref(V1, 0)),
    ("of another namespace", ref("v1", 5, namespace="bank"), Ref(BackendKey("bank", "v1", 8080), 5)),
    ("without port", {"name": "v1"}, Ref(BackendKey("shop", "v1", 0), 1)),
    (
        "of another kind",
        ref("v1", 5, **IMPORT),
        Ref(BackendKey("shop", "ServiceImport.multicluster.x-k8s.io/v1", 8080), 5),
    ),
    ("of another group", ref("v1", 5, group="x.io"), Ref(BackendKey("shop", "Service.x.io/v1", 8080), 5)),
    ("of another core kind", ref("v1", 5, kind="Pod"), Ref(BackendKey("shop", "Pod.core/v1", 8080), 5)),
]


@pytest.mark.parametrize(("document", "expected"), [row[1:] for row in REFS], ids=[row[0] for row in REFS])
def test_a_ref_is_a_backend_and_a_weight(document: dict[str, Any], expected: Ref) -> None:
    """With the defaults of the Gateway API; what is no Service is named so that it can be none."""
    view = view_of(KEY, route(rule(document)))

    assert view.rules[0].refs == (expected,)


def test_a_foreign_ref_is_never_one_of_ours_and_still_counts() -> None:
    """A ServiceImport of the same name has its own weight in the rule."""
    view = view_of(KEY, route(rule(ref("v1", 90), ref("v1", 10, **IMPORT))))

    assert [is_same(told.backend, BackendKey("shop", "v1")) for told in view.rules[0].refs] == [True, False]
    assert sum(told.weight for told in view.rules[0].refs) == 100


def test_the_whole_route_is_seen() -> None:
    """Rules in order with their names, the version, the gateways' word and who wrote the rules."""
    rules = (rule(ref("v1", 90), ref("v2", 10), name="main"), rule(ref("v2")), rule(name="redirect"))

    view = view_of(KEY, route(*rules, told=[fine()], owners=[owner("kubectl-edit", "2026-11-21T10:00:00Z")]))

    assert view == RouteView(
        key=KEY,
        rules=(Rule(0, "main", (Ref(V1, 90), Ref(V2, 10))), Rule(1, "", (Ref(V2, 1),)), Rule(2, "redirect", ())),
        version="17",
        acceptance=Acceptance.ACCEPTED,
        changed_by="kubectl-edit",
        open_to=("shop",),
    )


def test_a_route_that_says_nothing_has_no_rules() -> None:
    """All fields of the spec may be left out."""
    view = view_of(KEY, {"metadata": {"name": "web", "resourceVersion": "3"}})

    assert view.rules == ()
    assert view.acceptance is Acceptance.PENDING


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        ([], ""),
        ([owner("kubectl-edit", "2026-11-21T10:00:00Z")], "kubectl-edit"),
        ([owner(MANAGER, "2026-11-21T10:00:00Z")], ""),
        ([owner("argocd", "2026-11-21T10:00:00Z"), owner("kubectl-edit", "2026-11-21T10:00:01Z")], "kubectl-edit"),
        ([owner("kubectl-edit", "2026-11-21T10:00:01Z"), owner("argocd", "2026-11-21T10:00:00Z")], "kubectl-edit"),
        ([owner("argocd", "2026-11-21T10:00:00Z"), owner(MANAGER, "2026-11-21T10:00:01Z")], ""),
        ([owner("argocd", "2026-11-21T10:00:01Z"), owner(MANAGER, "2026-11-21T10:00:01Z")], "argocd"),
        ([owner("gateway", "2026-11-21T10:00:00Z", fields="f:hostnames")], ""),
        ([{"manager": "gateway", "subresource": "status", "fieldsV1": {"f:status": {"f:parents": {}}}}], ""),
        ([{"manager": "labeller", "time": "2026-11-21T10:00:00Z"}], ""),
        ([owner("nobody", "")], "nobody"),
        ([owner("x" * 1000, "2026-11-21T10:00:00Z")], "x" * 252 + "…"),
    ],
)
def test_who_wrote_the_rules_last(owners: Sequence[Mapping[str, Any]], expected: str) -> None:
    """It is the newest owner of the rules, unless that is us; who owns anything else is of no interest."""
    assert changed_by(route(owners=owners)) == expected


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        ([], 0.0),
        ([owner(MANAGER, "2026-11-21T10:00:00Z")], 1_795_255_200.0),
        ([owner("argocd", "2026-11-21T10:00:00Z"), owner(MANAGER, "2026-11-21T10:00:01Z")], 1_795_255_201.0),
        ([owner("argocd", "2026-11-21T10:00:01Z"), owner(MANAGER, "2026-11-21T10:00:01Z")], 0.0),
        ([owner("argocd", "2026-11-21T10:00:00Z")], 0.0),
        ([owner(MANAGER, "")], 0.0),
        ([owner(MANAGER, "yesterday")], 0.0),
    ],
)
def test_when_we_wrote_the_rules(owners: Sequence[Mapping[str, Any]], expected: float) -> None:
    """It counts as long as nobody else has written them since."""
    assert written_at(route(owners=owners)) == expected


FULL = route(
    rule(
        ref("v1", 90, filters=[{"type": "URLRewrite"}]),
        ref("v2", None, **IMPORT),
        name="main",
        matches=[{"path": {"value": "/"}}],
        filters=[{"type": "RequestMirror"}],
    ),
    rule(ref("v2")),
    parents=[{"name": "front"}, BACK],
    told=[fine(), said(condition("Accepted", "False", message="no\nsuch " * 99), condition("Programmed"), parent=BACK)],
    owners=[owner("kubectl-edit", "2026-11-21T10:00:00Z"), owner("x", "2026-11-21T10:00:01Z", fields="f:hostnames")],
)


def test_what_stays_in_memory_looks_the_same() -> None:
    """Nothing that a pass looks at is lost."""
    assert view_of(KEY, kept(FULL)) == view_of(KEY, FULL)
    assert kept(kept(FULL)) == kept(FULL)
    assert version_of(kept(FULL)) == "17"


def test_what_nobody_looks_at_does_not_stay() -> None:
    """Filters, matches, labels and hostnames are most of a route."""
    told = str(kept(FULL))

    assert not [word for word in ("filters", "matches", "labels", "hostnames", "Programmed", "uid") if word in told]
    assert OURS in told


def test_a_route_without_anything_can_be_kept() -> None:
    """As the rest, an empty status and spec are no reason to fail."""
    assert view_of(KEY, kept({})) == view_of(KEY, {})


@pytest.mark.parametrize(
    ("text", "open_to"),
    [
        (None, ("shop",)),
        ("", ("shop",)),
        ("bank", ("shop", "bank")),
        (" bank, ,books,bank ", ("shop", "bank", "books")),
        ("*", ("shop", "*")),
        ("x," * 3000, ("shop",)),
    ],
)
def test_the_owner_of_a_route_says_whose_rollouts_may_have_it(text: str | None, open_to: tuple[str, ...]) -> None:
    """Nobody's of another namespace, unless the annotation names it; what is kept says the same."""
    document = route(rule(ref("v1")))
    if text is not None:
        document["metadata"]["annotations"] = {ALLOW: text, "other": "x"}

    assert view_of(KEY, document).open_to == view_of(KEY, kept(document)).open_to == open_to
    assert "other" not in (kept(document)["metadata"].get("annotations") or {})

"""Whether the gateways serve a route as it stands, from its status. Pure.

A route names parents, and the controller of each writes an entry into ``status.parents`` that says ``Accepted`` and
``ResolvedRefs`` and for which generation it says so (Gateway API, "Route status"). Several controllers may speak for
one parent; that one of them serves it is enough. What they say of parents that the route names no more is old.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rollout.engine.observation import Acceptance, RouteKey
from rollout.kube.resources import Document

CONDITIONS = ("Accepted", "ResolvedRefs")
"""What a controller must say of a route before it counts as served."""

LONGEST_MESSAGE = 600
"""So many characters of what gateways say are passed on, of any one condition a third."""

MOST_NAMED = 3
"""So many ReferenceGrants are named in one message."""

Said = tuple[Acceptance, str]


def acceptance(key: RouteKey, document: Document) -> Said:
    """Return whether all parents of the route serve it as it stands, and why not in one sentence without a full stop.

    >>> acceptance(RouteKey("HTTPRoute", "shop", "web"), {"spec": {"parentRefs": [{"name": "front"}]}})
    (<Acceptance.PENDING: 'Pending'>, 'no gateway has said anything of it for its parent front yet')
    """
    parents = (document.get("spec") or {}).get("parentRefs") or ()
    if not parents:
        return Acceptance.PENDING, "it names no parent, so that no gateway serves it"
    said = [_of_parent(key, document, parent) for parent in parents]
    return _first(said, (Acceptance.REFUSED, Acceptance.PENDING))


def is_service(ref: Document) -> bool:
    """Return whether a ``backendRef`` names a Service of the core group, as one that names no kind does."""
    return (ref.get("kind") or "Service") == "Service" and not ref.get("group")


def cut(text: str, most: int) -> str:
    """Return at most so many characters of ``text``, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _first(said: Iterable[Said], order: tuple[Acceptance, ...]) -> Said:
    """Return the first of ``order`` that was said, with all that was said with it; accepted when none was."""
    told = tuple(said)
    for wanted in order:
        messages = [message for found, message in told if found is wanted]
        if messages:
            return wanted, cut("; ".join(dict.fromkeys(messages)), LONGEST_MESSAGE)
    return Acceptance.ACCEPTED, ""


def _of_parent(key: RouteKey, document: Document, parent: Document) -> Said:
    """Return what is said for one parent; the best word of several controllers counts."""
    wanted = _identity(parent, key.namespace)
    entries = [
        entry
        for entry in (document.get("status") or {}).get("parents") or ()
        if _identity(entry.get("parentRef") or {}, key.namespace) == wanted
    ]
    if not entries:
        name = f"{parent.get('name', '')}{f' ({section})' if (section := parent.get('sectionName')) else ''}"
        return Acceptance.PENDING, f"no gateway has said anything of it for its parent {name} yet"
    said = [_of_controller(key, document, entry) for entry in entries]
    return _first(said, (Acceptance.ACCEPTED, Acceptance.REFUSED, Acceptance.PENDING))


def _identity(parent: Document, namespace: str) -> tuple[Any, ...]:
    """Return what tells one parent from another, with the defaults of the Gateway API."""
    return (
        parent.get("group", "gateway.networking.k8s.io"),
        parent.get("kind") or "Gateway",
        parent.get("namespace") or namespace,
        parent.get("name"),
        parent.get("sectionName") or "",
        parent.get("port") or 0,
    )


def _of_controller(key: RouteKey, document: Document, entry: Document) -> Said:
    """Return what one controller says for one parent."""
    conditions = {condition.get("type"): condition for condition in entry.get("conditions") or ()}
    who = cut(str(entry.get("controllerName") or "the gateway"), 80)
    said = [_of_condition(key, document, conditions.get(kind) or {"type": kind}) for kind in CONDITIONS]
    found, message = _first(said, (Acceptance.REFUSED, Acceptance.PENDING))
    return found, f"{who} {message}" if message else ""


def _of_condition(key: RouteKey, document: Document, condition: Document) -> Said:
    """Return what one condition says, with a message that goes on from the controller's name."""
    kind, status = str(condition["type"]), str(condition.get("status") or "")
    generation = int((document.get("metadata") or {}).get("generation") or 0)
    seen = int(condition.get("observedGeneration") or 0)
    if not status:
        return Acceptance.PENDING, f"has not said {kind} yet"
    if seen < generation:
        return Acceptance.PENDING, f"has seen generation {seen} only, and the route is at {generation}"
    if status == "True":
        return Acceptance.ACCEPTED, ""
    reason, why = str(condition.get("reason") or ""), str(condition.get("message") or "")
    told = cut(": ".join(filter(None, (reason, why))), LONGEST_MESSAGE // 3)
    missing = _missing_grants(key, document) if reason == "RefNotPermitted" else ""
    found = Acceptance.REFUSED if status == "False" else Acceptance.PENDING
    return found, f"says {kind} {status}{f' ({told})' if told else ''}{missing}"


def _missing_grants(key: RouteKey, document: Document) -> str:
    """Return which ReferenceGrants the route needs: one for each Service of another namespace that it names."""
    foreign = dict.fromkeys(
        (str(ref["namespace"]), str(ref.get("name")))
        for rule in (document.get("spec") or {}).get("rules") or ()
        for ref in rule.get("backendRefs") or ()
        if is_service(ref) and (ref.get("namespace") or key.namespace) != key.namespace
    )
    named = [
        f"a ReferenceGrant in namespace {namespace} from {key.kind} of namespace {key.namespace} to Service {name}"
        for namespace, name in foreign
    ]
    more = f", and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return f"; it needs {', '.join(named[:MOST_NAMED])}{more}" if named else ""

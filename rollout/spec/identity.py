"""Who a document is, and which policy it names: read from the document as it is, before anything else in it.

Called by the stores, which must know where a document belongs, also when all the rest of it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

from rollout.errors import ConfigurationError, Problem
from rollout.spec.base import NAME_ALLOWED, Name
from rollout.spec.fields import printable
from rollout.spec.resource import PolicyRef

POLICY_KINDS = ("RolloutPolicy", "ClusterRolloutPolicy")

_NAME = TypeAdapter(Name)


def identity_of(document: Mapping[str, object]) -> tuple[str, str]:
    """Return the namespace (``default`` when none is given) and the name of the document.

    Raises:
        ConfigurationError: one of them is not usable.
    """
    metadata = document.get("metadata")
    given = metadata if isinstance(metadata, Mapping) else {}
    return _name(given, "namespace", "default"), _name(given, "name", None)


def kind_of(document: Mapping[str, object], *allowed: str) -> str:
    """Return the kind of the document, which must be one of ``allowed``.

    Raises:
        ConfigurationError: it is another one.
    """
    kind = document.get("kind")
    if isinstance(kind, str) and kind in allowed:
        return kind
    what = "is not a policy" if allowed == POLICY_KINDS else f"is not a {' or a '.join(allowed)}"
    raise ConfigurationError((Problem("kind", what, given=printable(str(kind)), allowed=", ".join(allowed)),))


def policy_key(kind: str, namespace: str, name: str) -> tuple[str, str, str]:
    """Return the key of a policy; one for all has no namespace."""
    return (kind, "" if kind == "ClusterRolloutPolicy" else namespace, name)


def policy_named(document: Mapping[str, object]) -> PolicyRef | None:
    """Return the policy that a Rollout's document names, or None where it names none that could exist."""
    spec = document.get("spec")
    try:
        return PolicyRef.model_validate(spec.get("policy")) if isinstance(spec, Mapping) else None
    except ValidationError:
        return None  # the fault is found, and said, when the Rollout is read


def _name(metadata: Mapping[str, object], field: str, default: str | None) -> str:
    value = metadata.get(field, default)
    try:
        return _NAME.validate_python(value)
    except ValidationError as error:
        message = "is required" if value is None else "is not a name"
        problem = Problem(f"metadata.{field}", message, given=printable(str(value)), allowed=NAME_ALLOWED)
        raise ConfigurationError((problem,)) from error

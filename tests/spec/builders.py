"""Short ways to write documents for tests of the spec."""

from collections.abc import Mapping

from rollout.spec.built_in import built_in_policy
from rollout.spec.merge import effective
from rollout.spec.resource import Rollout

Document = Mapping[str, object]

ROUTES = [{"kind": "HTTPRoute", "name": "checkout"}]
BACKENDS = {"stable": {"name": "checkout-v1"}, "canary": {"name": "checkout-v2"}}
STEPS = [{"weight": 5, "hold": "2m"}, {"weight": 95, "hold": "10m"}]


def rollout_document(**spec: object) -> Document:
    """Return a sound Rollout document, with `spec` laid over its spec; None takes a field away."""
    whole = {"routes": ROUTES, "backends": BACKENDS, "steps": STEPS, **spec}
    kept = {key: value for key, value in whole.items() if value is not None}
    return {"kind": "Rollout", "metadata": {"name": "checkout", "namespace": "shop"}, "spec": kept}


def policy_document(**spec: object) -> Document:
    """Return the document of a policy of the namespace `shop`."""
    return {"kind": "RolloutPolicy", "metadata": {"name": "house", "namespace": "shop"}, "spec": spec}


def rollout(**spec: object) -> Rollout:
    """Return a sound Rollout over the built-in policy."""
    return effective(rollout_document(**spec), None, built_in_policy())

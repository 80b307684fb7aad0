"""A route table in memory that passes the contract of `RouteTable`, with faults to order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from rollout.engine.observation import Acceptance, BackendKey, Ref, RouteKey, RouteView, Rule, RuleWeights
from rollout.errors import ConflictError, NotOursError, Unavailable, UpdateRefused


class FakeRouteTable:
    """`RouteTable` in memory, and the hands of others.

    Faults: `down` lets every write fail; `refuse_next` lets the gateway refuse the next writes; of those `unread` that
    nobody has put yet it is not known whether they exist.
    `writes` are (key, weights by backend name of each rule) of every write that was taken.
    """

    def __init__(self) -> None:
        self.down = False
        self.refuse_next = 0
        self.unread: set[RouteKey] = set()
        self.writes: list[tuple[RouteKey, tuple[Mapping[str, int], ...]]] = []
        self._views: dict[RouteKey, RouteView] = {}
        self._listeners: list[Callable[[RouteKey], None]] = []
        self._number = 0

    # the hands of others

    def put(self, key: RouteKey, *rules: Mapping[str, int]) -> None:
        """Let somebody else make the route, or replace all its rules; a rule is named `rule-<index>`."""
        views = [
            Rule(
                index,
                f"rule-{index}",
                tuple(Ref(BackendKey(key.namespace, name), weight) for name, weight in weights.items()),
            )
            for index, weights in enumerate(rules)
        ]
        self._keep(RouteView(key, tuple(views), self._version()))

    def accept(self, key: RouteKey, acceptance: Acceptance, message: str = "") -> None:
        """Let the gateway say something else about the route."""
        self._keep(replace(self._views[key], acceptance=acceptance, message=message))

    def open_to(self, key: RouteKey, *namespaces: str) -> None:
        """Let the route's owner say whose Rollouts may have its weights; nobody asks before that."""
        self._keep(replace(self._views[key], open_to=(key.namespace, *namespaces), version=self._version()))

    def take_away(self, key: RouteKey) -> None:
        """Let somebody delete the route."""
        del self._views[key]
        self._tell(key)

    # the port

    def read(self, key: RouteKey) -> RouteView | None:
        """Return the route, or None."""
        return self._views.get(key)

    def explain(self, key: RouteKey) -> str:
        """Return why there is no such route."""
        if key in self.unread and key not in self._views:
            raise Unavailable("it has not been read yet")
        return "" if key in self._views else f"{key} does not exist"

    async def write(self, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str) -> RouteView:
        """Write the weights, as the port says."""
        if self.down:
            raise Unavailable("the route table is down")
        view = self._views.get(key)
        if view is None:
            raise NotOursError(f"{key} is gone")
        if view.version != expected:
            raise ConflictError(f"{key} was changed by somebody else")
        written = view
        for one in rules:
            written = _with(written, _find(written, one), one)
        if self.refuse_next or any(sum(ref.weight for ref in rule.refs) <= 0 for rule in written.rules):
            self.refuse_next = max(0, self.refuse_next - 1)
            raise UpdateRefused(f"{key}: refused; what was there before is back")
        self.writes.append((key, tuple({to.name: n for to, n in one.weights.items()} for one in rules)))
        self._views[key] = replace(written, version=self._version())
        return self._views[key]

    def subscribe(self, listener: Callable[[RouteKey], None]) -> None:
        """Call `listener` on every change by others."""
        self._listeners.append(listener)

    # inside

    def _version(self) -> str:
        self._number += 1
        return str(self._number)

    def _keep(self, view: RouteView) -> None:
        self._views[view.key] = view
        self._tell(view.key)

    def _tell(self, key: RouteKey) -> None:
        for listener in self._listeners:
            listener(key)


def _find(view: RouteView, wanted: RuleWeights) -> int:
    """Return the index of the rule again: by name, else by index."""
    for rule in view.rules:
        if rule.name == wanted.name if wanted.name else rule.index == wanted.index:
            return rule.index
    raise NotOursError(f"the rule {wanted.name or wanted.index} of {view.key} is gone")


def _with(view: RouteView, index: int, wanted: RuleWeights) -> RouteView:
    """Return the view with these weights in one rule."""
    rule = view.rules[index]
    if not set(wanted.weights) <= {ref.backend for ref in rule.refs}:
        raise NotOursError(f"a backend of the rule {rule.name} of {view.key} is gone")
    refs = tuple(replace(ref, weight=wanted.weights.get(ref.backend, ref.weight)) for ref in rule.refs)
    rules = (*view.rules[:index], replace(rule, refs=refs), *view.rules[index + 1 :])
    return replace(view, rules=rules)

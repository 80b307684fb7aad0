"""Workloads in memory that pass the contract of `Workloads`, with faults to order."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from rollout.engine.observation import WorkloadKey, WorkloadView
from rollout.errors import ConflictError, NotOursError, Unavailable, UpdateRefused


@dataclass(frozen=True, slots=True)
class _Kept:
    """A workload: its view, the labels of its pods, and which of them its selector names."""

    view: WorkloadView
    labels: Mapping[str, str]
    selector: frozenset[str]


class FakeWorkloads:
    """`Workloads` in memory, the hands of others, and a platform that rolls out when it is told to.

    Faults: `down` lets every order fail; `refuse_next` lets the platform refuse the next orders; `hidden` says why
    a kind cannot be seen. `orders` are the
    words and keys of every order that was taken: (`copy`, target) or (`scale`, key).
    """

    def __init__(self) -> None:
        self.down = False
        self.refuse_next = 0
        self.hidden: dict[str, str] = {}
        self.orders: list[tuple[str, WorkloadKey]] = []
        self._kept: dict[WorkloadKey, _Kept] = {}
        self._listeners: list[Callable[[WorkloadKey], None]] = []
        self._number = 0

    # the hands of others, and the platform

    def put(
        self,
        key: WorkloadKey,
        template: str,
        *,
        replicas: int = 1,
        labels: Mapping[str, str] | None = None,
        selector: Iterable[str] = (),
    ) -> None:
        """Let somebody make the workload, or change it; all its pods are there at once."""
        view = WorkloadView(key, self._version(), template, replicas, replicas, replicas)
        self._keep(_Kept(view, labels or {}, frozenset(selector)))

    def change(self, key: WorkloadKey, template: str) -> None:
        """Let somebody give the workload another pod template; nothing has rolled out yet."""
        self._keep(self._changed(self._kept[key], template=template, updated=0, ready=0))

    def roll(self, key: WorkloadKey, *, updated: int | None = None, ready: int | None = None, old: int = 0) -> None:
        """Let the platform get so far: of all pods by default; `ready` counts all pods, also `old` ones."""
        view = self._kept[key].view
        updated = view.replicas if updated is None else updated
        certain = max(0, (updated if ready is None else ready) - old)
        self._see(key, updated=updated, ready=certain, settled=True, failed="")

    def fail(self, key: WorkloadKey, why: str) -> None:
        """Let the platform give the rollout up."""
        self._see(key, settled=True, failed=why)

    def take_away(self, key: WorkloadKey) -> None:
        """Let somebody delete the workload."""
        del self._kept[key]
        self._tell(key)

    def labels(self, key: WorkloadKey) -> Mapping[str, str]:
        """Return the labels of the pod template."""
        return self._kept[key].labels

    # the port

    def read(self, key: WorkloadKey) -> WorkloadView | None:
        """Return the workload, or None."""
        kept = self._kept.get(key)
        return kept.view if kept is not None else None

    def explain(self, key: WorkloadKey) -> str:
        """Return why those of this kind cannot be seen, as the test said."""
        return self.hidden.get(key.kind, "")

    async def copy_template(
        self, source: WorkloadKey, target: WorkloadKey, *, template: str, expected: str
    ) -> WorkloadView:
        """Copy the pod template, as the port says."""
        giving, taking = self._found(source), self._found(target)
        if taking.view.version != expected or giving.view.template != template:
            raise ConflictError(f"{source} or {target} was changed by somebody else")
        self._may_order()
        stays = {name: value for name, value in taking.labels.items() if name in taking.selector}
        comes = {name: value for name, value in giving.labels.items() if name not in giving.selector}
        self.orders.append(("copy", target))
        return self._ordered(replace(taking, labels={**comes, **stays}), template=template, updated=0, ready=0)

    async def scale(self, key: WorkloadKey, replicas: int, *, expected: str) -> WorkloadView:
        """Change how many pods are wanted, as the port says."""
        kept = self._found(key)
        if kept.view.version != expected:
            raise ConflictError(f"{key} was changed by somebody else")
        self._may_order()
        if key.kind == "DaemonSet":
            raise UpdateRefused(f"{key} has as many pods as there are nodes for it")
        self.orders.append(("scale", key))
        return self._ordered(kept, replicas=replicas)

    def subscribe(self, listener: Callable[[WorkloadKey], None]) -> None:
        """Call `listener` on every change by others."""
        self._listeners.append(listener)

    # inside

    def _found(self, key: WorkloadKey) -> _Kept:
        if key not in self._kept:
            raise NotOursError(f"{key} is gone")
        return self._kept[key]

    def _may_order(self) -> None:
        if self.down:
            raise Unavailable("the workloads cannot be written")
        if self.refuse_next:
            self.refuse_next -= 1
            raise UpdateRefused("the platform refused it")

    def _changed(self, kept: _Kept, **fields: object) -> _Kept:
        view = replace(kept.view, version=self._version(), settled=False, failed="", **fields)  # type: ignore[arg-type]
        return replace(kept, view=view)

    def _ordered(self, kept: _Kept, **fields: object) -> WorkloadView:
        after = self._changed(kept, **fields)
        self._kept[after.view.key] = after
        return after.view

    def _see(self, key: WorkloadKey, **fields: object) -> None:
        kept = self._kept[key]
        self._keep(replace(kept, view=replace(kept.view, version=self._version(), **fields)))  # type: ignore[arg-type]

    def _version(self) -> str:
        self._number += 1
        return str(self._number)

    def _keep(self, kept: _Kept) -> None:
        self._kept[kept.view.key] = kept
        self._tell(kept.view.key)

    def _tell(self, key: WorkloadKey) -> None:
        for listener in self._listeners:
            listener(key)

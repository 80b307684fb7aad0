"""The objects of one kind in memory: newer over older, whatever order they come in, and who hears of a change.

A reflector fills it from the API server's stream with ``take``, ``forget`` and ``settle``; the adapters of this room
put the answers of their own writes in with ``put``, which may be ahead of the stream or far behind it. It knows nothing
of how the objects come, nor of what they mean: ``keep`` says which of them, and which of their fields, stay in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import structlog

from rollout.kube.resources import Document, age_of, name_of, version_of

log = structlog.get_logger(__name__)

Name = tuple[str, str]
"""Namespace (empty where there is none) and name."""

Keep = Callable[[Document], Document | None]
"""Return what stays in memory of an object: a smaller copy with its metadata's name, namespace and version, or None."""

Listener = Callable[[Name, Document | None, Document | None], None]
"""Takes whose object changed, what it was and what it is (None: there was, or is, none)."""

MOST_GONE = 1000
"""So many deletions are remembered that were known here before the stream told of them."""


class Cache:
    """What is kept of the objects of one kind; ``failures`` counts what ``keep`` or a listener broke on."""

    def __init__(self, keep: Keep, what: str) -> None:
        """Hold nothing yet; ``what`` names the kind in logs."""
        self._keep = keep
        self._what = what
        self._objects: dict[Name, Document] = {}
        self._gone: dict[Name, int] = {}
        self._listeners: list[Listener] = []
        self._told_to = 0
        self._restored = False
        self.failures = 0

    def get(self, name: Name) -> Document | None:
        """Return what is kept of the object, or None."""
        return self._objects.get(name)

    def names(self) -> list[Name]:
        """Return the names of all objects that are kept."""
        return list(self._objects)

    def __iter__(self) -> Iterator[Document]:
        """Give what is kept of every object."""
        return iter(list(self._objects.values()))

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` with every change of what is kept."""
        self._listeners.append(listener)

    def put(self, document: Document) -> None:
        """Take in what a write or a single read answered, unless something newer is known.

        An object that is not here, and is no newer than what the stream has told of, is one that has gone since.
        """
        name, age = name_of(document), age_of(version_of(document))
        if name not in self._objects and 0 < age <= self._told_to:
            return
        self._take(name, age, document)

    def take(self, document: Document) -> None:
        """Take in what the stream told, unless an answer of a later write is here."""
        self._take(name_of(document), age_of(version_of(document)), document)

    def admit(self, document: Document) -> None:
        """Take in what a single read answered of an object that ``keep`` let go by when the stream told of it."""
        self.take(document)

    def drop(self, name: Name) -> None:
        """Let go of an object that is there, but is not wanted any more; ``admit`` brings it back."""
        self._keep_now(name, self._objects.get(name), None)

    def forget(self, name: Name, *, age: int) -> None:
        """Take out an object that is gone; what is no newer than ``age`` does not bring it back."""
        before = self._objects.get(name)
        if before is not None and age_of(version_of(before)) > age and not self._restored:
            return
        self._bury(name, age)
        self._keep_now(name, before, None)

    def begin(self, version: str) -> bool:
        """Begin a list of all objects as they are at ``version``; return whether the cluster has gone back in time.

        Versions only grow, unless a backup of the cluster was restored: then the list is right and memory is not.
        """
        self._restored = age_of(version) < self._told_to
        if self._restored:
            self._gone.clear()
        return self._restored

    def settle(self, listed: set[Name], version: str) -> None:
        """End the list: what was not in it is gone."""
        for name in self.names():
            if name not in listed:
                self.forget(name, age=age_of(version))
        self._restored = False
        self._told_to = age_of(version)

    def reached(self, version: str) -> None:
        """Note that the stream has told everything up to ``version``."""
        self._told_to = max(self._told_to, age_of(version))

    def _take(self, name: Name, age: int, document: Document) -> None:
        before = self._objects.get(name)
        newest = self._gone.get(name, 0) if before is None else age_of(version_of(before)) - 1
        if 0 < age <= newest and not self._restored:
            return
        kept = self._kept(document)
        self._gone.pop(name, None)
        if kept is None and before is not None:
            self._bury(name, age)
        self._keep_now(name, before, kept)

    def _bury(self, name: Name, age: int) -> None:
        self._gone.pop(name, None)
        self._gone[name] = age
        while len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]

    def _kept(self, document: Document) -> Document | None:
        """Return what stays of the object; one that nobody can read is none, and does not hide the others."""
        try:
            return self._keep(document)
        except Exception:
            self.failures += 1
            log.exception("object not understood", what=self._what, name="/".join(name_of(document)))
            return None

    def _keep_now(self, name: Name, before: Document | None, now: Document | None) -> None:
        if now is None:
            self._objects.pop(name, None)
        else:
            self._objects[name] = now
        if before is now or (before is not None and now is not None and version_of(before) == version_of(now)):
            return
        for listener in self._listeners:
            try:
                listener(name, before, now)
            except Exception:
                self.failures += 1
                log.exception("listener failed", what=self._what, name="/".join(name))

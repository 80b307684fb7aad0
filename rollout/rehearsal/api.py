"""The door through which the store and the routes are written: open, shut, or with somebody always a step ahead.

Shared by ``rollout.rehearsal.store`` and ``rollout.rehearsal.routes``; moved by the events of the file.
"""

from __future__ import annotations

from rollout.errors import ConflictError, Unavailable
from rollout.rehearsal.scenario import ApiMode


class Api:
    """Whether a write gets through.

    In mode ``conflict`` the first try at each thing meets somebody else's change, and the next one
    succeeds, so that every pass has its conflict and the work still gets done.
    """

    def __init__(self) -> None:
        self.mode = ApiMode.UP
        self._tried: set[str] = set()

    @property
    def down(self) -> bool:
        """Return whether nothing can be written."""
        return self.mode is ApiMode.DOWN

    def turn(self, mode: ApiMode) -> None:
        """Do otherwise from now on."""
        self.mode = mode
        self._tried.clear()

    def check(self, thing: str) -> None:
        """Let the write of ``thing`` through.

        Raises:
            Unavailable: nothing can be written.
            ConflictError: somebody else was first.
        """
        if self.down:
            raise Unavailable("the API is down")
        if self.mode is ApiMode.CONFLICT and thing not in self._tried:
            self._tried.add(thing)
            raise ConflictError(f"somebody else changed {thing}")
        self._tried.discard(thing)

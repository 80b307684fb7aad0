"""A switch record in memory."""

from collections.abc import Callable

from rollout.errors import Unavailable
from rollout.signals import Position


class FakeSwitch:
    """``SwitchRecord`` in memory; while ``down`` it keeps nothing, and before ``known`` it knows nothing."""

    def __init__(self, *, known: bool = True) -> None:
        """Begin with a switch that nobody has turned."""
        self.down = False
        self._known = known
        self._position = Position()
        self._listeners: list[Callable[[], None]] = []

    def read(self) -> Position:
        """Return the position.

        Raises:
            Unavailable: before ``come``, where it was not known from the beginning.
        """
        if not self._known:
            raise Unavailable("the switch was not read yet")
        return self._position

    def come(self) -> None:
        """Let the position be known."""
        self._known = True
        self._tell()

    async def turn(self, position: Position) -> None:
        """Keep this position.

        Raises:
            Unavailable: while ``down``.
        """
        if self.down:
            raise Unavailable("the switch cannot be turned now")
        self._position, self._known = position, True
        self._tell()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each change."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

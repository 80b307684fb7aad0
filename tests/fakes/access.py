"""Who may do what, as a test says, passing the contract of ``Access``."""

from rollout.errors import Unavailable
from rollout.ports import Caller, Clock, Verb
from tests.fakes.clock import FakeClock


class FakeAccess:
    """``Access`` in memory: ``viewer`` may get and list, ``operator`` may also update.

    ``down`` lets every question fail. ``asked`` are the (caller, verb, namespace) of ``may``; ``only`` are the
    namespaces in which anything is allowed (None: all), as on a platform whose roles are for some.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.down = False
        self.only: set[str] | None = None
        self.asked: list[tuple[Caller, Verb, str]] = []
        self._clock = clock or FakeClock()
        self._tokens: dict[str, tuple[Caller, float | None]] = {}

    def create(self, name: str, role: str, expires_in_seconds: float | None = None) -> str:
        """Return the token of a new caller."""
        token = f"token-of-{name}-{len(self._tokens)}"
        expires = None if expires_in_seconds is None else self._clock.now() + expires_in_seconds
        self._tokens[token] = (Caller(name, (role,)), expires)
        return token

    def revoke(self, name: str) -> None:
        """Take the token of a caller away."""
        self._tokens = {token: kept for token, kept in self._tokens.items() if kept[0].name != name}

    async def identify(self, token: str) -> Caller | None:
        """Return whose token this is."""
        self._refuse_when_down()
        caller, expires = self._tokens.get(token, (None, None))
        return None if expires is not None and self._clock.now() >= expires else caller

    async def may(self, caller: Caller, verb: Verb, namespace: str) -> bool:
        """Return whether the caller may do this there."""
        self._refuse_when_down()
        self.asked.append((caller, verb, namespace))
        verbs = (
            {Verb.GET, Verb.LIST} if "viewer" in caller.roles else set(Verb) if "operator" in caller.roles else set()
        )
        return verb in verbs and (self.only is None or namespace in self.only)

    def _refuse_when_down(self) -> None:
        if self.down:
            raise Unavailable("access cannot be looked up")

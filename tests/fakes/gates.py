"""Gates in memory that pass the contract of ``Gates``."""

from collections.abc import Mapping

from rollout.engine.observation import GateAnswer
from rollout.spec.resource import Gate


class FakeGates:
    """``Gates`` whose answers a test sets by URL (else yes); ``calls`` are (URL, body) of all that came."""

    def __init__(self) -> None:
        self.answers: dict[str, GateAnswer] = {}
        self.calls: list[tuple[str, dict[str, object]]] = []

    async def ask(self, gate: Gate, *, body: Mapping[str, object]) -> GateAnswer:
        """Answer as the test said."""
        self.calls.append((gate.url, dict(body)))
        return self.answers.get(gate.url, GateAnswer(agrees=True, message="answered 200"))

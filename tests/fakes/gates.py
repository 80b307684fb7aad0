"""Gates in memory that pass the contract of ``Gates``."""

from rollout.engine.hooks import GateAnswer
from rollout.ports import GateCall


class FakeGates:
    """``Gates`` whose answers a test sets by URL (else yes); ``calls`` are all that came."""

    def __init__(self) -> None:
        self.answers: dict[str, GateAnswer] = {}
        self.calls: list[GateCall] = []

    async def ask(self, call: GateCall) -> GateAnswer:
        """Answer as the test said."""
        self.calls.append(call)
        return self.answers.get(call.gate.url, GateAnswer(agrees=True, message="answered 200"))

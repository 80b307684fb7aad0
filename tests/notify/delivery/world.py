"""A small world for delivery: Rollouts that make transitions, passes that record, senders that do as they are told."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rollout.engine import telling
from rollout.engine.state import Failing, State, Transition
from rollout.engine.table import Phase
from rollout.errors import PermanentError, Unavailable
from rollout.failover.table import Stage
from rollout.notify.delivery.notifier import Notifier
from rollout.notify.delivery.options import Options, Reach
from rollout.notify.delivery.quiet import QuietTimes
from rollout.notify.message import Message, Notice
from rollout.notify.sending import MessageRefused, SinkBusy
from rollout.notify.sinks import Sink, Sinks
from rollout.ports import Key, StoredRollout
from rollout.spec.resource import Rollout
from tests.notify.delivery.hours import LoopClock

SECRET = "https://hooks.example.com/T000/B000/s3cr3t"


def sink(name: object = "ops", **fields: object) -> Sink:
    """Return a sink; of a kind that is told one by one, unless another is asked for."""
    return Sink.model_validate({"name": name, "kind": "CloudEvents", "url": SECRET, **fields})


def rollout(key: Key, notify: object = (), labels: Mapping[str, str] | None = None) -> Rollout:
    """Return an effective spec that names these sinks."""
    backends = {"stable": {"name": "a"}, "canary": {"name": "b"}}
    metadata = {"name": key.name, "namespace": key.namespace, "labels": dict(labels or {})}
    spec = {"routes": [{"kind": "HTTPRoute", "name": "r"}], "backends": backends, "notify": notify}
    return Rollout.model_validate({"kind": "Rollout", "metadata": metadata, "spec": spec})


def key(number: int = 1, namespace: str = "shop") -> Key:
    """Return the key of one of many Rollouts."""
    return Key(namespace, f"web-{number}")


_SECONDS = {"hang": 5.0, "stuck": 1e9}
_ERRORS: Mapping[str, Callable[[], Exception | None]] = {
    "hang": lambda: Unavailable("no answer within 5 s"),
    "down": lambda: Unavailable("connection refused"),
    "lost": lambda: Unavailable("connection reset"),
    "busy": lambda: SinkBusy("it is busy", seconds=30.0),
    "busy a little": lambda: SinkBusy("it is busy", seconds=0.1),
    "broken": lambda: PermanentError("the token was revoked"),
    "refuse": lambda: MessageRefused("it is too large"),
    "never": lambda: MessageRefused("it is too large"),
    "fault": lambda: TypeError(f"cannot post to {SECRET}"),
}


@dataclass(slots=True)
class ScriptedSender:
    """``Sender`` that takes everything, but for what ``script`` says of the next tries, one word each.

    ``down``: it fails before anything is taken; ``lost``: after. ``hang``: as down, after 5 s. ``busy``: it wants to be
    left alone for 30 s (``busy a little``: 0.1 s). ``refuse``: not this message, unless it is plain. ``never``: not
    even then. ``broken``: it takes none. ``fault``: a mistake. ``stuck``: it never ends by itself. ``always`` is for
    tries beyond the script.
    """

    script: list[str] = field(default_factory=list)
    always: str = "take"
    taken: list[Message] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    tries: int = 0
    under_way: int = 0
    most_at_once: int = 0
    closed: bool = False
    takes_seconds: float = 0.0

    async def send(self, message: Message) -> str:
        """Do as the script says."""
        self.tries += 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            return await self._act(self.script.pop(0) if self.script else self.always, message)
        finally:
            self.under_way -= 1

    async def _act(self, act: str, message: Message) -> str:
        await asyncio.sleep(_SECONDS.get(act, self.takes_seconds))
        if act == "refuse" and not message.notices:
            act = "take"
        if act in {"take", "lost"}:
            self.taken.append(message)
            self.times.append(LoopClock().monotonic())
        failure = _ERRORS.get(act, lambda: None)()
        if failure is not None:
            raise failure
        return f"thread-{message.notices[0].attempt}" if message.notices else ""

    async def aclose(self) -> None:
        """Take note."""
        self.closed = True

    def numbers(self, of: Key | None = None) -> list[int]:
        """Return the numbers of the transitions that it was told, of one Rollout or of all."""
        return [notice.number for notice in self.notices(of)]

    def notices(self, of: Key | None = None) -> list[Notice]:
        """Return the notices that it was told."""
        return [notice for message in self.taken for notice in message.notices if of is None or notice.key == of]


@dataclass(slots=True)
class Nights:
    """Quiet until a time, in seconds since the beginning."""

    ends: float

    def until(self, at: float) -> float | None:
        """Return when the quiet ends."""
        return self.ends if at < self.ends else None


class World:
    """Replicas that run passes over Rollouts; what is recorded outlives them."""

    def __init__(self) -> None:
        self.recorded: dict[Key, State] = {}
        self.specs: dict[Key, Rollout | None] = {}
        self.documents: dict[Key, dict[str, object]] = {}
        self.uids: dict[Key, str] = defaultdict(str)
        self.records = 0

    def add(
        self,
        number: int = 1,
        notify: Sequence[object] = ({"sink": "ops"},),
        namespace: str = "shop",
        labels: Mapping[str, str] | None = None,
    ) -> Key:
        """Add a Rollout; return its key."""
        added = key(number, namespace)
        self.specs[added] = rollout(added, notify, labels)
        self.documents[added] = {"metadata": {"labels": labels or {}}, "spec": {"notify": list(notify)}}
        self.recorded[added] = State()
        return added

    def stored(self, of: Key) -> StoredRollout | None:
        """Return the Rollout as the store has it."""
        if of not in self.recorded:
            return None
        return StoredRollout(of, self.documents[of], {}, "1", 1, uid=self.uids[of])


class Replica:
    """One process: a notifier and the live states, made from what the world has recorded."""

    def __init__(
        self,
        world: World,
        sinks: Iterable[Sink],
        senders: Mapping[str, ScriptedSender],
        *,
        quiet: Mapping[str, QuietTimes] | None = None,
        options: Options | None = None,
    ) -> None:
        self.world = world
        self.live: dict[Key, State] = {}
        self.held: set[Key] | None = None
        self.records = True
        self.wakes = 0
        self.notifier = Notifier(
            Sinks(sinks=tuple(sinks)),
            senders,
            clock=LoopClock(),
            quiet=quiet or {},
            chance=lambda: 0.5,
            options=options,
        )
        self.notifier.begin(Reach(state=self.live.get, stored=world.stored, holds=self.holds, wake=self.wake))
        for known in tuple(world.recorded):
            self.look(known)

    def holds(self, of: Key) -> bool:
        """Return whether we act for it."""
        return self.held is None or of in self.held

    def lose(self) -> None:
        """Act for nothing any more."""
        self.held = set()
        self.live.clear()

    def gain(self) -> None:
        """Act for everything, from what is recorded on."""
        self.held = None
        for known in tuple(self.world.recorded):
            self.look(known)

    def wake(self, of: Key) -> None:
        """Let a pass run soon."""
        self.wakes += 1
        asyncio.get_running_loop().call_soon(self.look, of)

    def look(
        self, of: Key, *made: str, phase: Phase = Phase.PROGRESSING, attempt: int = 1, stage: Stage | None = None
    ) -> None:
        """Run a pass in which transitions with these reasons are made."""
        stored = self.world.stored(of)
        if stored is None or not self.holds(of):
            self.live.pop(of, None)
            return
        before = self.live.setdefault(of, self.world.recorded[of])
        asked = self.notifier.telling(stored, self.world.specs[of], before)
        state = before
        for reason in made:
            state = with_transition(state, reason, LoopClock().now(), phase=phase, attempt=attempt, stage=stage)
        cursors = telling.joined(before, asked)
        if made or telling.is_to_be_recorded(before, cursors, asked):
            state = telling.with_cursors(state, cursors)
            if not self.records:
                asyncio.get_running_loop().call_later(10.0, self.look, of)  # a pass that fails has patience of its own
                return
            self.world.recorded[of] = state
            self.world.records += 1
        self.live[of] = state
        for _ in made:
            self.notifier.heard(of)

    def kill(self) -> None:
        """End at once, as a process that is killed: nothing of it goes on, nothing is recorded."""
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    async def settle(self, seconds: float = 1.0) -> None:
        """Let so much time pass."""
        await asyncio.sleep(seconds)


def with_transition(
    state: State,
    reason: str,
    at: float,
    *,
    phase: Phase = Phase.PROGRESSING,
    attempt: int = 1,
    stage: Stage | None = None,
) -> State:
    """Return the state after one more transition."""
    failing = Failing(stage, "", 1) if stage is not None else None
    made = Transition(state.number + 1, at, phase, 1, (), reason, f"{reason}, as asked.", failing, attempt)
    return replace(state, number=made.number, phase=phase, attempt=attempt, transitions=(*state.transitions, made))


def transitions(*reasons: str) -> Iterator[Transition]:
    """Yield transitions with these reasons, numbered from 1."""
    state = State()
    for number, reason in enumerate(reasons):
        state = with_transition(state, reason, 100.0 + number)
    yield from state.transitions

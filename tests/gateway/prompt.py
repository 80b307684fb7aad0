"""What a person may say to the lab of ``make lab``, one line each: faults of backends, and of those who move weights.

Nothing that is said ends the lab: what cannot be understood or done is answered with why.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable

from rollout.kube.resources import ROLLOUTS
from tests.gateway.answers import Answers
from tests.gateway.controller import Controller
from tests.gateway.scene import ROUTE, Scene

BACKENDS = ("v1", "v2", "dr")
BACKUP = BACKENDS[-1]
FLAGS, NUMBERS = ("is_healthy",), ("http_errors", "grpc_errors", "delay_seconds")

USAGE = """A backend is stable, canary or backup, as the Rollout has them at that moment, or v1, v2 or dr.

  behave canary http_errors=0.3 grpc_errors=0.3 delay_seconds=0.5
                                  then start the next revision: it is rolled back; "behave canary": well again
  behave stable is_healthy=false  probes are told 500, requests are answered: failover, and back after "behave stable"
  kill stable                     a crash; its pod is not ready
  drain stable                    not ready, still answers
  empty stable                    its Service has no endpoints
  revive stable                   there and ready again
  count                           who answered what since the last count
  The third failover within ten minutes is Latched: .venv/bin/rollout unlatch checkout
  kill-controller, start-controller, kill-gateway, start-gateway, help, quit
"""


class Prompt:
    """Who does what is said."""

    def __init__(self, scene: Scene, controller: Controller, answers: Answers) -> None:
        """Make trouble in this scene."""
        self._scene = scene
        self._answers = answers
        self._counted = len(answers.all())
        control = scene.lab.control
        self._alone: dict[str, Callable[[], object]] = {
            "help": lambda: USAGE,
            "count": self._count,
            "kill-controller": controller.kill,
            "start-controller": _all(controller.kill, controller.start),
            "kill-gateway": control.kill,
            "start-gateway": _all(control.kill, scene.lab.restart_control),
        }
        self._to_backends: dict[str, Callable[[str], object]] = {
            "kill": scene.kill,
            "drain": scene.drain,
            "empty": scene.scale_to_nothing,
            "revive": scene.revive,
        }

    def say(self, line: str) -> str:
        """Do what is said; return what to answer."""
        try:
            words = shlex.split(line)
            return self._do(*words) if words else ""
        except (ValueError, AssertionError) as error:
            return f"{error}\nSay help to see what may be said."

    def _do(self, first: str, *rest: str) -> str:
        if first in self._alone and not rest:
            return str(self._alone[first]() or "done")
        if first in self._to_backends and len(rest) == 1:
            name = self._backend(rest[0])
            self._to_backends[first](name)
            return f"done: {name}"
        if first == "behave" and rest:
            name, fields = self._backend(rest[0]), dict(map(_field, rest[1:]))
            self._scene.behave(name, **fields)
            return f"done: {name}"
        raise ValueError(f"Not understood: {' '.join((first, *rest))}")

    def _backend(self, word: str) -> str:
        """Return the backend of this name, or that has this role now."""
        path = ROLLOUTS.path(self._scene.namespace, ROUTE)
        stable: str = self._scene.cluster.ask("GET", path)[1]["status"]["stable"]
        (canary,) = {*BACKENDS} - {stable, BACKUP}
        name = {"stable": stable, "canary": canary, "backup": BACKUP}.get(word, word)
        if name not in BACKENDS:
            raise ValueError(f"No backend is called {word}: there are stable, canary, backup, {', '.join(BACKENDS)}.")
        return name

    def _count(self) -> str:
        everything = self._answers.all()
        fresh, self._counted = everything[self._counted :], len(everything)
        found = Counter((one.kind, one.who.rpartition(".")[2], one.wrong) for one in fresh)
        totals = Counter[str]()
        for (kind, _, _), number in found.items():
            totals[kind] += number
        return "\n".join(
            f"  {kind}  {who or '(nobody)':8}  {number:7}  {number / totals[kind]:6.1%}  {wrong or 'good'}"
            for (kind, who, wrong), number in sorted(found.items())
        )


def _all(*acts: Callable[[], object]) -> Callable[[], None]:
    """Return what does one after the other: who still runs is ended before it is started again."""

    def act() -> None:
        for one in acts:
            one()

    return act


def _field(text: str) -> tuple[str, float | bool]:
    name, _, value = text.partition("=")
    if name in FLAGS and value in {"true", "false"}:
        return name, value == "true"
    if name not in NUMBERS:
        raise ValueError(f"Not a behaviour: {text}; there are {', '.join(NUMBERS)} (=0.3) and is_healthy (=false).")
    return name, float(value)

"""``make lab``: the lab for a person, with the controller, a shop with clients, and a prompt to make trouble in it.

It runs until its standard input ends, ``quit`` is said, or it is interrupted; nothing is left behind.
"""

from __future__ import annotations

import asyncio
import random
import shlex
import signal
import sys
import time
from collections.abc import Callable
from contextlib import aclosing

import pytest

from rollout.kube.api import KubeApi
from tests.gateway import objects
from tests.gateway.answers import Answers
from tests.gateway.attempts import PAIR, POLICY
from tests.gateway.backends import PORT
from tests.gateway.controller import API_PORT, Controller
from tests.gateway.crew import Crew
from tests.gateway.failovers import PROBE
from tests.gateway.lab import Lab
from tests.gateway.scene import Scene, refs
from tests.gateway.scraping import PROMETHEUS_PORT

SHOP = "shop"
BACKENDS = ("v1", "v2", "dr")
STEPS = [{"weight": 10, "hold": "10s"}, {"weight": 50, "hold": "10s"}]
FAILOVER = {
    "signals": PROBE,
    "confirmFor": "1s",
    "failback": {"stableFor": "10s", "steps": [10, 50, 100], "stepInterval": "5s"},
    "damping": {"cooldown": "5s"},
}

TEXT = """
An API server, Envoy Gateway with two Envoys, Prometheus and the controller are up; the lab took {seconds:.0f} s. In the
namespace shop an HTTPRoute and a GRPCRoute share the Rollout "checkout": v1 is stable, v2 the canary, dr the backup;
clients send 20 requests a second over each. In another terminal:

  export KUBECONFIG={kubeconfig}
  kubectl get rollouts -n shop -w
  .venv/bin/rollout context set lab --server http://127.0.0.1:{api} --token-file {token}
  .venv/bin/rollout start checkout -n shop --revision 2       # a good canary: promoted after about 25 s
  .venv/bin/rollout watch checkout -n shop
  .venv/bin/rollout history checkout -n shop

  the controller's API  http://127.0.0.1:{api}/api/v1        Prometheus  http://127.0.0.1:{prometheus}
  the gateway           http://127.0.0.1:{gateway} (Host: http.shop.example, for gRPC grpc.shop.example)
  logs                  {folder}

Here, to make trouble:
{usage}"""

USAGE = """  behave v2 http_errors=0.3 grpc_errors=0.3 delay_seconds=0.5
                               and start revision 3: it is rolled back; "behave v2": well again
  behave v1 is_healthy=false   probes are told 500, requests are answered: failover, and back after "behave v1"
  kill v1                      a crash; its pod is not ready
  drain v1                     not ready, still answers
  empty v1                     the Service has no endpoints
  revive v1                    there and ready again
  count                        who answered what since the last count
  kill-controller, start-controller, kill-gateway, start-gateway, quit
"""


class Prompt:
    """What a person may say, one line each."""

    def __init__(self, scene: Scene, controller: Controller, answers: Answers) -> None:
        """Make trouble in this scene."""
        self._scene = scene
        self._answers = answers
        self._since = time.monotonic()
        control = scene.lab.control
        self._alone: dict[str, Callable[[], object]] = {
            "count": self._count,
            "kill-controller": controller.kill,
            "start-controller": controller.start,
            "kill-gateway": control.kill,
            "start-gateway": scene.lab.restart_control,
        }
        self._to_backends: dict[str, Callable[[str], object]] = {
            "kill": scene.kill,
            "drain": scene.drain,
            "empty": scene.scale_to_nothing,
            "revive": scene.revive,
        }

    def say(self, line: str) -> str:
        """Do what is said; return what to answer."""
        first, *rest = shlex.split(line) or [""]
        if first in self._alone and not rest:
            return str(self._alone[first]() or "done")
        if first in self._to_backends and len(rest) == 1 and rest[0] in BACKENDS:
            self._to_backends[first](rest[0])
            return "done"
        if first == "behave" and rest and rest[0] in BACKENDS:
            self._scene.behave(rest[0], **dict(map(_field, rest[1:])))
            return "done"
        return USAGE

    def _count(self) -> str:
        since, self._since = self._since, time.monotonic()
        return self._answers.summary(since=since)


def _field(text: str) -> tuple[str, float | bool]:
    name, _, value = text.partition("=")
    return (name, value == "true") if name == "is_healthy" else (name, float(value))


async def play(crew: Crew, controller: Controller) -> None:
    """Open the shop and read what the person says."""
    async with aclosing(KubeApi(crew.lab.cluster.configuration(), random.random)) as api:
        await _shop(crew, controller, api)


async def _shop(crew: Crew, controller: Controller, api: KubeApi) -> None:
    lab = crew.lab
    lab.cluster.make_namespace(SHOP)
    scene = Scene(crew, api, SHOP, objects.SEPARATE)
    scene.backend(*BACKENDS)
    scene.routes(refs(("v1", 100), ("v2", 0), ("dr", 0)))
    backends = PAIR | {"backups": [{"name": "dr", "port": PORT}]}
    with scene.clients(rate=20) as answers:
        await scene.flows(answers)
        await scene.manifest(
            policy=POLICY, backends=backends, revision="1", steps=STEPS, failover=FAILOVER, analysis={"warmUp": "0s"}
        )
        prompt = Prompt(scene, controller, answers)
        _say(_welcome(lab))
        said = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), sys.stdin)
        while (line := (await said.readline()).decode()) and line.strip() != "quit":
            _say(prompt.say(line))


def _welcome(lab: Lab) -> str:
    token = lab.folder / "token"
    token.write_text(lab.cluster.token, encoding="utf-8")
    token.chmod(0o600)
    return TEXT.format(
        seconds=lab.up_seconds,
        kubeconfig=lab.cluster.kubeconfig(),
        api=lab.door(API_PORT),
        token=token,
        prometheus=lab.door(PROMETHEUS_PORT),
        gateway=lab.door(objects.PORTS[objects.SEPARATE]),
        folder=lab.folder,
        usage=USAGE,
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n> ")
    sys.stdout.flush()


def run() -> int:
    """Run the lab; return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.stdout.write("The lab starts; that takes 15 to 60 seconds.\n")
    sys.stdout.flush()
    try:
        lab = Lab.begin()
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        sys.stderr.write(f"{missing.msg}\n")
        return 1
    crew, controller = Crew(lab), Controller(lab)
    try:
        controller.start()
        asyncio.run(play(crew, controller))
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    finally:
        controller.end()
        crew.end()
        lab.end()
    return 0


if __name__ == "__main__":
    sys.exit(run())

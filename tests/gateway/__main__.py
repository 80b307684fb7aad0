"""``make lab``: the lab for a person, with the controller, a shop with clients, and a prompt to make trouble in it.

It runs until its standard input ends, ``quit`` is said, or it is interrupted; nothing is left behind.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import sys
from contextlib import ExitStack, aclosing
from pathlib import Path

import pytest

from rollout.kube.api import KubeApi
from tests.gateway import objects
from tests.gateway.attempts import PAIR, POLICY
from tests.gateway.backends import PORT
from tests.gateway.controller import API_PORT, Controller
from tests.gateway.crew import Crew
from tests.gateway.enclosure import TREE
from tests.gateway.failovers import PROBE
from tests.gateway.lab import Lab
from tests.gateway.prompt import BACKENDS, USAGE, Prompt
from tests.gateway.scene import Scene, refs
from tests.gateway.scraping import PROMETHEUS_PORT
from tests.kubernetes.cluster import require_program

SHOP = "shop"
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

  cd {tree}
  export KUBECONFIG={kubeconfig}
  export ROLLOUT_SERVER=http://127.0.0.1:{api} ROLLOUT_NAMESPACE=shop
  export ROLLOUT_TOKEN_FILE={token}
  {kubectl} get rollouts -n shop
  .venv/bin/rollout start checkout --revision 2       # a good canary: promoted after about 25 s, and the roles swap
  .venv/bin/rollout watch checkout
  .venv/bin/rollout history checkout
  curl -s -H 'Host: http.shop.example' http://127.0.0.1:{gateway}/pay; echo
  curl -s -H "Authorization: Bearer $(cat $ROLLOUT_TOKEN_FILE)" $ROLLOUT_SERVER/api/v1/rollouts/shop/checkout

The API is at http://127.0.0.1:{api}/api/v1, Prometheus at http://127.0.0.1:{prometheus}, logs are in
{folder}. All of it goes when you say quit, or press Ctrl-C.

Here, to make trouble. {usage}"""


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
        await scene.phase("Idle")
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
        tree=TREE,
        kubectl=_shown(require_program("kubectl")),
        kubeconfig=lab.cluster.kubeconfig(),
        api=lab.door(API_PORT),
        token=token,
        prometheus=lab.door(PROMETHEUS_PORT),
        gateway=lab.door(objects.PORTS[objects.SEPARATE]),
        folder=lab.folder,
        usage=USAGE,
    )


def _shown(program: Path) -> str:
    """Return how a person calls a program: by its name where their shell finds it."""
    return program.name if shutil.which(program.name) else str(program)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n> ")
    sys.stdout.flush()


def _begun(ending: ExitStack) -> tuple[Crew, Controller]:
    """Start everything; ``ending`` ends it."""
    lab = Lab.begin()
    ending.callback(lab.end)
    crew = Crew(lab)
    ending.callback(crew.end)
    controller = Controller(lab)
    ending.callback(controller.end)
    controller.start()
    return crew, controller


def run() -> int:
    """Run the lab; return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.stdout.write("The lab starts; that takes 15 to 60 seconds.\n")
    sys.stdout.flush()
    try:
        with ExitStack() as ending:
            asyncio.run(play(*_begun(ending)))
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        sys.stderr.write(f"{missing.msg}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())

"""A replica that is nothing but its elector, as a program: ``KUBECONFIG NAMESPACE NAME LEASE_SECONDS LOG``.

It asks every few milliseconds whether it may act, and writes the answer (``+`` or ``-``) with the time down, so that
who reads what two programs wrote knows what each would have done at any moment. The times are of the machine's
monotonic clock, which programs share. SIGTERM ends it as it ends the service.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from pathlib import Path

from rollout.clock import SystemClock
from rollout.kube.api import KubeApi
from rollout.kube.config import configuration
from rollout.kube.elector import ElectorOptions, LeaseElector
from rollout.ports import Key

KEY = Key("shop", "checkout")
GAP_SECONDS = 0.002


async def main(*arguments: str) -> None:
    """Compete until SIGTERM."""
    kubeconfig, namespace, name, lease_seconds, log = arguments
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    api = KubeApi(await configuration(Path(kubeconfig), ""), random.random)
    options = ElectorOptions(namespace, name, float(lease_seconds))
    elector = LeaseElector(api, SystemClock(), options, chance=random.random)
    await elector.start()
    try:
        with Path(log).open("w", encoding="utf-8", buffering=1) as written:
            while not ended.is_set():
                asked_at = time.monotonic()
                written.write(f"{'+' if elector.holds(KEY) else '-'} {asked_at}\n")
                await asyncio.sleep(GAP_SECONDS)
    finally:
        await elector.aclose()
        await api.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

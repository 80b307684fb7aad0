"""Which cluster, and who we are there: found as kubectl finds it, then as a pod does.

Called by ``rollout.bootstrap`` at the start. The order: a kubeconfig that was named, ``KUBECONFIG`` (several files are
merged), ``~/.kube/config``, the service account of the pod.
"""

from __future__ import annotations

import os
from pathlib import Path

from kubernetes.aio import client
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.aio.config.kube_config import KubeConfigMerger

from rollout.errors import ConfigurationError, Problem

MOST_CONNECTIONS = 256
"""So many requests are on their way at once; watches count too."""

IN_POD = "KUBERNETES_SERVICE_HOST"
"""Set by the kubelet in every pod."""


async def configuration(kubeconfig: Path | None = None, context: str = "") -> client.Configuration:
    """Return how to reach the cluster: of ``kubeconfig`` (None: found as kubectl does), of its ``context`` if named.

    Tokens that expire are read again by the client when their time comes.

    Raises:
        ConfigurationError: there is no such file or context, it cannot be read, or there is no cluster at all.
    """
    found = client.Configuration()
    home = Path.home() / ".kube" / "config"
    named = str(kubeconfig) if kubeconfig is not None else os.environ.get("KUBECONFIG") or ""
    if not named and not context and not home.exists():
        _from_pod(found)
    else:
        await _from_files(found, named or str(home), context)
    found.connection_pool_maxsize = MOST_CONNECTIONS
    return found


def _from_pod(found: client.Configuration) -> None:
    try:
        load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call] # the client has no types here
    except ConfigException as error:
        allowed = "--kubeconfig FILE, KUBECONFIG, ~/.kube/config, or a pod with a service account"
        raise ConfigurationError((Problem("", "there is no cluster to speak with", str(error), allowed),)) from error


async def _from_files(found: client.Configuration, files: str, context: str) -> None:
    try:
        await load_kube_config(  # type: ignore[no-untyped-call] # the client has no types here
            config_file=files, context=context or _current(files), client_configuration=found
        )
    except Exception as error:  # whatever a file of somebody else's makes its reader raise
        what = f"context {context} of {files}" if context else files
        told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ConfigurationError((Problem("kubeconfig", f"{what} cannot be used: {told}"),)) from error


def _current(files: str) -> str | None:
    """Return the current context: of the first file that has one, as kubectl has it; the client takes the last."""
    for file in filter(None, files.split(os.pathsep)):
        read = KubeConfigMerger(file).config_files  # type: ignore[no-untyped-call] # the client has no types here
        for named in (document.get("current-context") for document in read.values()):
            if named:
                return str(named)
    return None

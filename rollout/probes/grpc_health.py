"""The gRPC probe: ``grpc.health.v1.Health/Check``, over a channel that is kept as long as it answers.

The library reconnects by a calendar of its own, so a channel that failed is thrown away, and the next probe opens a new
one. It does not tell either whether a failure was here or there: then a plain connection is tried, which does.
"""

from __future__ import annotations

import socket
from types import ModuleType

from rollout.failover.probing import Answer
from rollout.probes.dialing import dial, located
from rollout.probes.health_wire import request_of, status_in
from rollout.probes.said import TIMED_OUT, Said
from rollout.probes.tls import Trust
from rollout.signals import Target
from rollout.spec.probe import GrpcProbe

METHOD = "/grpc.health.v1.Health/Check"
MOST_MESSAGE = 4 * 1024
MOST_METADATA = 16 * 1024
_SERVING = 1
_UNAVAILABLE = "UNAVAILABLE"
"""What the library says of all that failed below it, here or there."""

_WORDS = {"DEADLINE_EXCEEDED": TIMED_OUT}
_STATUSES = {0: "UNKNOWN", _SERVING: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


class GrpcAsker:
    """Asks one target by the gRPC health protocol."""

    def __init__(self, target: Target, probe: GrpcProbe, trust: Trust | None, *, timeout_seconds: float) -> None:
        """Ask ``target`` about ``probe.service``; the server is told how long it has."""
        # The library is large, and most runs probe nothing by gRPC.
        import grpc  # noqa: PLC0415
        import grpc.aio  # noqa: PLC0415

        self._grpc: ModuleType = grpc
        self._target = target
        self._request = request_of(probe.service)
        self._trust = trust
        self._timeout = timeout_seconds
        self._channel: object = None

    async def ask(self) -> Said:
        """Ask once.

        Raises:
            Unsent: nothing left this machine.
            OSError: the target cannot be reached.
            BadAnswer: what came is no answer.
        """
        code, status = await self._check() if self._channel is not None else (_UNAVAILABLE, 0)
        if code == _UNAVAILABLE:
            await self._open()
            code, status = await self._check()
        if code == _UNAVAILABLE:
            (await dial(self._target)).close()
        if code is not None:
            return Said(Answer.BAD, _WORDS.get(code, code))
        return Said(Answer.GOOD if status == _SERVING else Answer.BAD, _STATUSES.get(status, f"status {status}"))

    async def _check(self) -> tuple[str | None, int]:
        """Return the name of the code that it ended with (None: OK) and the status; all but an answer ends the channel.

        A kept channel may turn out to be closed, which is no evidence.
        """
        check = self._channel.unary_unary(METHOD)  # type: ignore[attr-defined]
        try:
            return None, status_in(await check(self._request, timeout=self._timeout))
        except self._grpc.aio.AioRpcError as error:
            await self.aclose()
            return str(error.code().name), 0
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close the channel."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close(None)  # type: ignore[attr-defined]

    async def _open(self) -> None:
        family, address = await located(self._target)
        where = f"ipv6:[{address}]" if family is socket.AF_INET6 else f"ipv4:{address}"
        options: list[tuple[str, object]] = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_http_proxy", 0),
            ("grpc.enable_retries", 0),
            ("grpc.max_receive_message_length", MOST_MESSAGE),
            ("grpc.max_metadata_size", MOST_METADATA),
        ]
        aio, uri = self._grpc.aio, f"{where}:{self._target.port}"
        if self._trust is None:
            self._channel = aio.insecure_channel(uri, options=options)
        else:
            papers = await self._trust.papers()
            credentials = self._grpc.ssl_channel_credentials(papers.authorities, papers.key, papers.chain)
            options.append(("grpc.ssl_target_name_override", self._trust.server_name))
            self._channel = aio.secure_channel(uri, credentials, options=options)

"""The TCP probe, and what of opening a connection fails here and what there."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rollout.failover.probing import Answer
from rollout.probes import dialing
from rollout.probes.asking import asker_for
from rollout.probes.said import BadAnswer, Said, Unsent, told
from rollout.probes.tcp import TcpAsker
from rollout.probes.tls import Certificates
from rollout.signals import Target
from rollout.spec.probe import ProbeSignal, TcpProbe
from tests.probes.servers import free_target, hanging, probe, serving


async def test_a_port_that_opens_is_good() -> None:
    """Whatever is behind it."""
    async with serving(hanging) as target:
        assert await probe(TcpAsker(target, None)) == Said(Answer.GOOD, "open")


async def test_a_port_where_nobody_listens_is_bad() -> None:
    """The machine is there and says so."""
    assert await probe(TcpAsker(free_target(), None)) == Said(Answer.BAD, "refused")


async def test_a_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Envoy and slices of names have such targets."""
    monkeypatch.setattr(dialing, "_is_ours", lambda _: False)  # the only name that every machine has is its own
    async with serving(hanging) as target:
        assert (await probe(TcpAsker(Target("localhost", target.port), None))).answer is not Answer.UNSENT


async def test_the_probe_may_name_another_port() -> None:
    """Health is often answered beside the traffic."""
    async with serving(hanging) as target:
        signal = ProbeSignal(tcp=TcpProbe(port=target.port))
        said = await probe(asker_for(signal, Target("127.0.0.1", 1), Certificates()))

    assert said.answer is Answer.GOOD


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (Target("127.0.0.1", 0), "no port is known"),
        (Target("nobody.invalid", 80), "nobody.invalid has no address"),
        (Target("a" * 64 + ".example", 80), "a" * 64 + ".example has no address"),
        (Target("0.0.0.0%nowhere", 80), "0.0.0.0%nowhere has no address"),
    ],
)
async def test_what_has_no_address_cannot_be_asked(target: Target, text: str) -> None:
    """Name resolution says nothing of the target."""
    assert await probe(TcpAsker(target, None)) == Said(Answer.UNSENT, text)


async def test_without_a_route_nothing_is_sent() -> None:
    """The system refuses at once; an answer of the network would come later."""
    assert (await probe(TcpAsker(Target("255.255.255.255", 80), None))).answer is Answer.UNSENT


@contextmanager
def no_more_files() -> Iterator[None]:
    """Let this process open nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_a_socket_nothing_is_sent() -> None:
    """A process that has too many files open knows nothing of its targets."""
    async with serving(hanging) as target:
        with no_more_files():
            said = await probe(TcpAsker(target, None))

    assert said == Said(Answer.UNSENT, "too many open files")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EHOSTUNREACH, ""), Said(Answer.BAD, "no route to host")),
        (OSError(errno.ETIMEDOUT, ""), Said(Answer.BAD, "timed out")),
        (BrokenPipeError(errno.EPIPE, ""), Said(Answer.BAD, "reset")),
        (ConnectionResetError("closed"), Said(Answer.BAD, "closed")),
        (ConnectionError(), Said(Answer.BAD, "ConnectionError")),
        (OSError(errno.EMFILE, ""), Said(Answer.UNSENT, "too many open files")),
        (OSError(errno.ENOBUFS, ""), Said(Answer.UNSENT, os.strerror(errno.ENOBUFS).lower())),
        (Unsent("no port is known"), Said(Answer.UNSENT, "no port is known")),
        (BadAnswer("no HTTP"), Said(Answer.BAD, "no HTTP")),
        (KeyError("x"), Said(Answer.UNSENT, "failed: KeyError")),
    ],
)
def test_an_error_says_whose_fault_it_is(error: Exception, said: Said) -> None:
    """What came from the network is bad; what this machine lacks, and a fault of ours, says nothing."""
    assert told(error) == said


def test_a_target_is_written_as_an_address_with_its_port() -> None:
    """An IPv6 address in brackets."""
    assert str(Target("10.0.0.1", 80)) == "10.0.0.1:80"
    assert str(Target("fd00::1", 80)) == "[fd00::1]:80"


async def test_a_name_that_leads_to_ourselves_is_not_asked() -> None:
    """Whoever may make a slice of names could have us ask our own services."""
    async with serving(hanging) as target:
        said = await probe(TcpAsker(Target("localhost", target.port), None))

    assert said == Said(Answer.UNSENT, "localhost is an address of this machine or its link")

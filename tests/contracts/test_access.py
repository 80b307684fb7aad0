"""What every ``Access`` does: the fake, the token file, and service accounts of a real API server."""

import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rollout.errors import Unavailable
from rollout.kube.access import KubeAccess
from rollout.kube.api import ApiOptions, KubeApi
from rollout.ports import Access, Caller, Verb
from rollout.tokens.file import LOOK_SECONDS, TokenFile
from rollout.tokens.roles import Role
from tests.fakes.access import FakeAccess
from tests.fakes.clock import FakeClock
from tests.kubernetes.access.people import KEPT_SECONDS, People
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fixtures import KUBERNETES
from tests.kubernetes.proxy import Mode, Proxy


class World(ABC):
    """An ``Access`` and the ways by which tokens come and go; what is done is known when it returns."""

    access: Access

    @abstractmethod
    async def create(self, name: str, role: Role = Role.VIEWER) -> str:
        """Return a new token."""

    @abstractmethod
    async def revoke(self, name: str) -> None:
        """Take a token back."""

    @abstractmethod
    async def expired(self, name: str) -> str:
        """Return a token whose time is over."""

    @abstractmethod
    async def take_down(self) -> None:
        """Let nobody know anything."""

    def who(self, caller: Caller | None) -> str:
        """Return the name by which the token was made, empty for nobody."""
        return caller.name if caller is not None else ""


class OwnWorld(World):
    """Tokens of our own, with a clock that stands still."""

    access: FakeAccess | TokenFile

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock

    async def create(self, name: str, role: Role = Role.VIEWER, expires_in_seconds: float | None = None) -> str:
        """Return a new token."""
        token = self.access.create(name, role, expires_in_seconds)
        self.clock.advance(LOOK_SECONDS)
        return token

    async def revoke(self, name: str) -> None:
        """Take a token back."""
        self.access.revoke(name)
        self.clock.advance(LOOK_SECONDS)

    async def expired(self, name: str) -> str:
        """Return a token whose time is over."""
        token = await self.create(name, expires_in_seconds=60)
        self.clock.advance(60)
        return token


class FakeWorld(OwnWorld):
    """The fake."""

    def __init__(self, clock: FakeClock, folder: Path) -> None:
        super().__init__(clock)
        self.access: FakeAccess = FakeAccess(clock)

    async def take_down(self) -> None:
        """Let every question fail."""
        self.access.down = True


class FileWorld(OwnWorld):
    """The token file."""

    def __init__(self, clock: FakeClock, folder: Path) -> None:
        super().__init__(clock)
        self.access: TokenFile = TokenFile(folder / "rollout.tokens", clock)
        self._path = folder / "rollout.tokens"

    async def take_down(self) -> None:
        """Take the file away."""
        self._path.unlink()
        self.clock.advance(LOOK_SECONDS)


class KubernetesWorld(World):
    """Service accounts of a real cluster; the API server says who they are, and RBAC what they may."""

    def __init__(self, people: People, door: Proxy) -> None:
        self._people = people
        self._door = door
        self._tokens: dict[str, str] = {}
        self.access: KubeAccess = people.access

    async def create(self, name: str, role: Role = Role.VIEWER) -> str:
        """Return the token of a new account with a role in all namespaces."""
        self._people.account(name)
        self._people.grant(name, role, everywhere=True)
        await self._people.settled(name, Verb.UPDATE if role is Role.OPERATOR else Verb.GET, allowed=True)
        self._tokens[name] = self._people.token(name)
        return self._tokens[name]

    async def revoke(self, name: str) -> None:
        """Delete the account."""
        self._people.remove(name)
        await self._people.unknown(self._tokens[name])
        self._people.clock.advance(KEPT_SECONDS)

    async def expired(self, name: str) -> str:
        """Return a token as it was made an hour ago."""
        self._people.account(name)
        return self._people.signed(name, expires_in_seconds=-600)

    async def take_down(self) -> None:
        """Cut the way to the API server, and let what it said be too old."""
        self._door.set(Mode.REFUSE)
        self._door.cut()
        self._people.clock.advance(KEPT_SECONDS)

    def who(self, caller: Caller | None) -> str:
        """Return the name of the account."""
        return super().who(caller).removeprefix(f"system:serviceaccount:{self._people.namespace}:")


@pytest.fixture(params=[pytest.param(FakeWorld, id="fake"), pytest.param(FileWorld, id="file")])
def own_world(request: pytest.FixtureRequest, tmp_path: Path) -> OwnWorld:
    """Return a world of each kind that has tokens of our own."""
    made: OwnWorld = request.param(FakeClock(), tmp_path)
    return made


@asynccontextmanager
async def kubernetes_world(cluster: Cluster, namespace: str) -> AsyncIterator[KubernetesWorld]:
    """Open a namespace in which nobody is known yet, and the way to the API server."""
    async with Proxy(cluster.port) as door:
        api = KubeApi(cluster.configuration(url=door.url), random.random, ApiOptions(first_wait_seconds=0.01))
        try:
            yield KubernetesWorld(People(cluster, namespace, api), door)
        finally:
            await api.aclose()


@pytest.fixture(params=["fake", "file", pytest.param("kubernetes", marks=KUBERNETES)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Return a world of each kind."""
    if request.param != "kubernetes":
        yield (FakeWorld if request.param == "fake" else FileWorld)(FakeClock(), tmp_path)
        return
    names = (request.getfixturevalue("cluster"), request.getfixturevalue("namespace"))
    async with kubernetes_world(*names) as made:
        yield made


async def test_a_token_says_whose_it_is(world: World) -> None:
    """Each token has one name."""
    ada, bob = await world.create("ada", Role.OPERATOR), await world.create("bob")
    found = [world.who(await world.access.identify(token)) for token in (ada, bob)]

    assert found == ["ada", "bob"]


async def test_a_token_of_our_own_says_its_role(own_world: OwnWorld) -> None:
    """Each has one; those of a cluster have groups in place of it."""
    ada, bob = await own_world.create("ada", Role.OPERATOR), await own_world.create("bob")

    assert await own_world.access.identify(ada) == Caller("ada", ("operator",))
    assert await own_world.access.identify(bob) == Caller("bob", ("viewer",))


@pytest.mark.parametrize("token", ["", "nonsense", "rollout__", f"rollout_{'0' * 16}_{'0' * 64}", "\u00fc" * 9])
async def test_a_token_that_nobody_was_given_is_nobodys(world: World, token: str) -> None:
    """Whatever somebody sends as a token has an answer."""
    await world.create("ada")

    assert await world.access.identify(token) is None


async def test_a_part_of_a_token_is_nobodys(world: World) -> None:
    """One letter too many, too few, or another one."""
    token = await world.create("ada")
    other = f"{token[:-9]}{'1' if token[-9] == '0' else '0'}{token[-8:]}"

    assert await world.access.identify(token[:-1]) is None
    assert await world.access.identify(token + "0") is None
    assert await world.access.identify(other) is None


async def test_a_revoked_token_is_nobodys(world: World) -> None:
    """The others stay; the name can be given again, with another token."""
    ada, bob = await world.create("ada"), await world.create("bob")
    known = await world.access.identify(ada)
    await world.revoke("ada")
    after = await world.access.identify(ada)
    again = await world.create("ada")
    found = [world.who(await world.access.identify(token)) for token in (bob, again, ada)]

    assert known is not None
    assert after is None
    assert found == ["bob", "ada", ""]


async def test_a_token_whose_time_is_over_is_nobodys(world: World) -> None:
    """Whoever keeps it longer than it was made for."""
    assert await world.access.identify(await world.expired("ada")) is None


async def test_a_token_expires(own_world: OwnWorld) -> None:
    """It is good for as long as it was made for, and no moment longer."""
    token = await own_world.create("ada", expires_in_seconds=3600)
    own_world.clock.advance(3599 - LOOK_SECONDS)
    before = await own_world.access.identify(token)
    own_world.clock.advance(1)

    assert before is not None
    assert await own_world.access.identify(token) is None


@pytest.mark.parametrize(
    ("role", "verbs"), [(Role.VIEWER, {Verb.GET, Verb.LIST}), (Role.OPERATOR, {Verb.GET, Verb.LIST, Verb.UPDATE})]
)
async def test_a_role_allows_what_it_is_for(world: World, role: Role, verbs: set[Verb]) -> None:
    """A viewer looks, an operator also changes, in one namespace and in all."""
    caller = await world.access.identify(await world.create("ada", role))
    assert caller is not None
    allowed = [{verb for verb in Verb if await world.access.may(caller, verb, where)} for where in ("shop", "")]

    assert allowed == [verbs, verbs]


async def test_a_caller_without_a_known_role_may_nothing(world: World) -> None:
    """What is not allowed is forbidden; nobody else's name or role is as good."""
    callers = [Caller("ada"), Caller("ada", ("admin",))]

    assert not any([await world.access.may(caller, verb, "shop") for caller in callers for verb in Verb])


async def test_what_cannot_be_found_out_is_said(world: World) -> None:
    """That nobody can be asked is not that the token is wrong."""
    token = await world.create("ada")
    await world.access.identify(token)
    await world.take_down()
    with pytest.raises(Unavailable):
        await world.access.identify(token)

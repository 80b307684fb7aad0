"""What every ``Access`` of tokens with two roles does: the fake, and the token file."""

from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from rollout.errors import Unavailable
from rollout.ports import Access, Caller, Verb
from rollout.tokens.file import LOOK_SECONDS, TokenFile
from rollout.tokens.roles import Role
from tests.fakes.access import FakeAccess
from tests.fakes.clock import FakeClock


class World(ABC):
    """An ``Access`` and the ways by which tokens come and go."""

    access: FakeAccess | TokenFile

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock

    def create(self, name: str, role: Role = Role.VIEWER, expires_in_seconds: float | None = None) -> str:
        """Return a new token, which is known from now on."""
        token = self.access.create(name, role, expires_in_seconds)
        self.clock.advance(LOOK_SECONDS)
        return token

    def revoke(self, name: str) -> None:
        """Take a token back, which is known from now on."""
        self.access.revoke(name)
        self.clock.advance(LOOK_SECONDS)

    @abstractmethod
    def take_down(self) -> None:
        """Let nobody know anything."""


class FakeWorld(World):
    """The fake."""

    def __init__(self, clock: FakeClock, folder: Path) -> None:
        super().__init__(clock)
        self.access: FakeAccess = FakeAccess(clock)

    def take_down(self) -> None:
        """Let every question fail."""
        self.access.down = True


class FileWorld(World):
    """The token file."""

    def __init__(self, clock: FakeClock, folder: Path) -> None:
        super().__init__(clock)
        self.access: TokenFile = TokenFile(folder / "rollout.tokens", clock)
        self._path = folder / "rollout.tokens"

    def take_down(self) -> None:
        """Take the file away."""
        self._path.unlink()
        self.clock.advance(LOOK_SECONDS)


@pytest.fixture(params=[pytest.param(FakeWorld, id="fake"), pytest.param(FileWorld, id="file")])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Return a world of each kind."""
    made: World = request.param(FakeClock(), tmp_path)
    return made


async def test_a_token_says_whose_it_is(world: World) -> None:
    """Each token has one name and one role."""
    access: Access = world.access
    ada, bob = world.create("ada", Role.OPERATOR), world.create("bob")

    assert await access.identify(ada) == Caller("ada", ("operator",))
    assert await access.identify(bob) == Caller("bob", ("viewer",))


@pytest.mark.parametrize("token", ["", "nonsense", "rollout__", f"rollout_{'0' * 16}_{'0' * 64}", "\u00fc" * 9])
async def test_a_token_that_nobody_was_given_is_nobodys(world: World, token: str) -> None:
    """Whatever somebody sends as a token has an answer."""
    world.create("ada")

    assert await world.access.identify(token) is None


async def test_a_part_of_a_token_is_nobodys(world: World) -> None:
    """One letter too many, too few, or another one."""
    token = world.create("ada")
    other = "1" if token[-1] == "0" else "0"

    assert await world.access.identify(token[:-1]) is None
    assert await world.access.identify(token + "0") is None
    assert await world.access.identify(token[:-1] + other) is None


async def test_a_revoked_token_is_nobodys(world: World) -> None:
    """The others stay; the name can be given again, with another token."""
    ada, bob = world.create("ada"), world.create("bob")
    known = await world.access.identify(ada)
    world.revoke("ada")
    after = await world.access.identify(ada)
    again = world.create("ada")

    assert known is not None
    assert after is None
    assert await world.access.identify(bob) == Caller("bob", ("viewer",))
    assert await world.access.identify(again) == Caller("ada", ("viewer",))
    assert await world.access.identify(ada) is None


async def test_a_token_expires(world: World) -> None:
    """It is good for as long as it was made for, and no moment longer."""
    token = world.create("ada", expires_in_seconds=3600)
    world.clock.advance(3599 - LOOK_SECONDS)
    before = await world.access.identify(token)
    world.clock.advance(1)

    assert before is not None
    assert await world.access.identify(token) is None


@pytest.mark.parametrize(
    ("role", "verbs"), [(Role.VIEWER, {Verb.GET, Verb.LIST}), (Role.OPERATOR, {Verb.GET, Verb.LIST, Verb.UPDATE})]
)
async def test_a_role_allows_what_it_is_for(world: World, role: Role, verbs: set[Verb]) -> None:
    """A viewer looks, an operator also changes, in one namespace and in all."""
    caller = await world.access.identify(world.create("ada", role))
    assert caller is not None
    allowed = [{verb for verb in Verb if await world.access.may(caller, verb, where)} for where in ("shop", "")]

    assert allowed == [verbs, verbs]


async def test_a_caller_without_a_known_role_may_nothing(world: World) -> None:
    """What is not allowed is forbidden."""
    callers = [Caller("ada"), Caller("ada", ("admin",))]

    assert not any([await world.access.may(caller, verb, "shop") for caller in callers for verb in Verb])


async def test_what_cannot_be_found_out_is_said(world: World) -> None:
    """That nobody can be asked is not that the token is wrong."""
    token = world.create("ada")
    await world.access.identify(token)
    world.take_down()
    with pytest.raises(Unavailable):
        await world.access.identify(token)

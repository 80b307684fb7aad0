"""What the token file holds, as models. Pure; called by ``rollout.tokens.file``.

The file is one JSON object, ``{"version": 1, "tokens": [...]}``. What is wrong with it is said by place and
rule, never with what was found there: somebody may have put a token where it does not belong.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AllowInfNan, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rollout.errors import PermanentError
from rollout.ports import Verb
from rollout.spec.base import Name
from rollout.spec.fields import path_of
from rollout.tokens.roles import Role
from rollout.tokens.secret import ID_BYTES, SALT_BYTES

MOST_TOKENS = 1000
"""How many tokens a file may hold."""

MOST_BYTES = 1024 * 1024
"""How large a file may be; a thousand tokens with the longest names fit."""

_MOST_FAULTS = 3
_HASH_DIGITS = 64

Seconds = Annotated[float, Field(ge=0), AllowInfNan(allow_inf_nan=False)]


ALLOWED: dict[Role, frozenset[Verb]] = {
    Role.VIEWER: frozenset({Verb.GET, Verb.LIST}),
    Role.OPERATOR: frozenset({Verb.GET, Verb.LIST, Verb.UPDATE}),
}
"""What each role may do, in all namespaces."""


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Entry(_Kept):
    """One token: whose it is and what it may do; of its secret only the salted hash. Times are Unix seconds."""

    id: Annotated[str, StringConstraints(pattern=rf"^[0-9a-f]{{{2 * ID_BYTES}}}$")]
    name: Name
    role: Role
    salt: Annotated[str, StringConstraints(pattern=rf"^[0-9a-f]{{{2 * SALT_BYTES}}}$")] = Field(repr=False)
    hash: Annotated[str, StringConstraints(pattern=rf"^[0-9a-f]{{{_HASH_DIGITS}}}$")] = Field(repr=False)
    created: Seconds
    expires: Seconds | None = None
    """None: it does not expire."""

    def has_expired(self, now: float) -> bool:
        """Return whether it is good no more at ``now`` (Unix seconds)."""
        return self.expires is not None and now >= self.expires


def _unambiguous(tokens: tuple[Entry, ...]) -> tuple[Entry, ...]:
    for what, values in (("names", {one.name for one in tokens}), ("ids", {one.id for one in tokens})):
        if len(values) < len(tokens):
            raise ValueError(f"{len(tokens)} tokens share {len(values)} {what}; allowed: one each")
    return tokens


class _Contents(_Kept):
    version: Literal[1]
    tokens: Annotated[tuple[Entry, ...], Field(max_length=MOST_TOKENS), AfterValidator(_unambiguous)]


def decoded(content: bytes, source: str) -> tuple[Entry, ...]:
    """Return the tokens in the content of the file ``source``.

    Raises:
        PermanentError: it is too large, or is not what a token file holds; the message says where.
    """
    if len(content) > MOST_BYTES:
        raise PermanentError(f"{source}: the token file is too large; allowed: {MOST_BYTES} bytes")
    try:
        return _Contents.model_validate_json(content).tokens
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        told = [_sentence(fault["loc"], fault["type"], fault["msg"]) for fault in faults[:_MOST_FAULTS]]
        raise PermanentError(f"{source}: the token file is broken: {'; '.join(told)}") from None


def _sentence(place: tuple[str | int, ...], kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        # The name of such a field comes from the file, too.
        place, message = place[:-1], "has a field that is not known"
    where = path_of(place)
    return f"{where}: {message}" if where else message


def encoded(tokens: tuple[Entry, ...]) -> bytes:
    """Return the content of a file with these tokens."""
    return _Contents(version=1, tokens=tokens).model_dump_json(indent=2).encode() + b"\n"

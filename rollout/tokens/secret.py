"""The text of a token, and what is kept of it. Pure but for the random bits; called by ``rollout.tokens.file``.

A token reads ``rollout_<id>_<secret>``. The id finds the entry and is no secret. The secret has 256
random bits, so nobody can guess it from its SHA-256: a slow hash, which protects words that people
choose, would only make each request slow.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256

ID_BYTES, SALT_BYTES, SECRET_BYTES = 8, 16, 32

_TOKEN = re.compile(rf"rollout_([0-9a-f]{{{2 * ID_BYTES}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")


@dataclass(frozen=True, slots=True)
class Minted:
    """A new token: its text, which is shown once, and what is kept."""

    text: str = field(repr=False)
    id: str
    salt: str = field(repr=False)
    hash: str = field(repr=False)


def mint() -> Minted:
    """Return a new token."""
    identity, salt, secret = (secrets.token_hex(size) for size in (ID_BYTES, SALT_BYTES, SECRET_BYTES))
    return Minted(f"rollout_{identity}_{secret}", identity, salt, hash_of(salt, secret))


def split(text: str) -> tuple[str, str] | None:
    """Return the id and the secret of a token, or None for a text that is none."""
    match = _TOKEN.fullmatch(text)
    return None if match is None else (match[1], match[2])


def hash_of(salt: str, secret: str) -> str:
    """Return the SHA-256 of salt and secret, in hexadecimal digits."""
    return sha256(f"{salt}{secret}".encode()).hexdigest()


def is_right(secret: str, *, salt: str, kept: str) -> bool:
    """Return whether ``kept`` is the hash of the secret, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(hash_of(salt, secret), kept)

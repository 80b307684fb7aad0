"""The text of a token, and its hash."""

import re
from hashlib import sha256

import pytest

from rollout.tokens.secret import hash_of, is_right, mint, split


def test_a_token_has_its_id_and_256_random_bits() -> None:
    """It reads ``rollout_<id>_<secret>``, and no two are the same."""
    first, second = mint(), mint()

    assert re.fullmatch(r"rollout_[0-9a-f]{16}_[0-9a-f]{64}", first.text)
    assert first.text.startswith(f"rollout_{first.id}_")
    assert len({part for one in (first, second) for part in (one.text, one.id, one.salt, one.hash)}) == 8


def test_what_is_kept_is_the_salted_hash_of_the_secret() -> None:
    """The secret itself is not in it."""
    minted = mint()
    parts = split(minted.text)
    assert parts is not None
    identity, secret = parts

    assert identity == minted.id
    assert minted.hash == sha256((minted.salt + secret).encode()).hexdigest() == hash_of(minted.salt, secret)
    assert is_right(secret, salt=minted.salt, kept=minted.hash)
    assert not is_right(secret[::-1], salt=minted.salt, kept=minted.hash)
    assert not is_right(secret, salt=minted.salt[::-1], kept=minted.hash)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rollout",
        f"rollout_{'a' * 16}",
        f"rollout_{'a' * 16}_{'b' * 63}",
        f"rollout_{'a' * 16}_{'b' * 65}",
        f"rollout_{'A' * 16}_{'b' * 64}",
        f"Rollout_{'a' * 16}_{'b' * 64}",
        f"rollout_{'a' * 16}_{'b' * 64}\n",
        f" rollout_{'a' * 16}_{'b' * 64}",
        f"rollout_{'a' * 15}٣_{'b' * 64}",
    ],
)
def test_what_is_no_token_is_not_split(text: str) -> None:
    """Only the whole form counts."""
    assert split(text) is None


def test_a_new_token_does_not_show_itself() -> None:
    """What is logged or raised by mistake has neither secret nor hash."""
    minted = mint()

    assert repr(minted) == f"Minted(id='{minted.id}')"

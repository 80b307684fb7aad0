"""What a token file holds, and how a broken one is told without showing what is in it."""

import json
from typing import Any

import pytest

from rollout.errors import PermanentError
from rollout.tokens.entries import MOST_BYTES, MOST_TOKENS, Entry, decoded, encoded
from rollout.tokens.roles import Role

SECRET = "rollout_" + "a" * 16 + "_" + "b" * 64


def entry(number: int = 0, **changed: Any) -> Entry:  # noqa: ANN401 - any field
    """Return an entry, a different one for each number."""
    values: dict[str, Any] = {
        "id": f"{number:016x}",
        "name": f"name-{number}",
        "role": Role.VIEWER,
        "salt": "0" * 32,
        "hash": "f" * 64,
        "created": 1.5,
    }
    return Entry(**values | changed)


def broken(**changed: object) -> bytes:
    """Return a file whose second token has these fields; None takes one away."""
    kept = json.loads(encoded((entry(0), entry(1))))
    token = kept["tokens"][1] | changed
    kept["tokens"][1] = {name: value for name, value in token.items() if value is not None or name == "expires"}
    return json.dumps(kept).encode()


def test_what_was_written_is_read() -> None:
    """Every field comes back."""
    tokens = (entry(0), entry(1, role=Role.OPERATOR, expires=1_800_000_000.25))

    assert decoded(encoded(tokens), "f") == tokens
    assert decoded(encoded(()), "f") == ()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"role": "admin"}, r"f: the token file is broken: tokens\[1\]\.role: .*'viewer' or 'operator'"),
        ({"id": "g" * 16}, r"tokens\[1\]\.id: "),
        ({"name": "ada lovelace"}, r"tokens\[1\]\.name: "),
        ({"salt": "0"}, r"tokens\[1\]\.salt: "),
        ({"hash": None}, r"tokens\[1\]\.hash: Field required"),
        ({"created": "yesterday"}, r"tokens\[1\]\.created: "),
        ({"expires": -1}, r"tokens\[1\]\.expires: "),
        ({"expires": 1e999}, r"tokens\[1\]\.expires: "),
        ({"name": "name-0"}, r"tokens: .*2 tokens share 1 names"),
        ({"id": "0" * 16}, r"tokens: .*2 tokens share 1 ids"),
    ],
)
def test_a_broken_entry_is_told_by_its_place(changed: dict[str, object], told: str) -> None:
    """The message has the file, the field and the rule."""
    with pytest.raises(PermanentError, match=told):
        decoded(broken(**changed), "f")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"version": 2, "tokens": []}'])
def test_what_is_no_token_file_is_refused(content: bytes) -> None:
    """Also what is no JSON, or of another version."""
    with pytest.raises(PermanentError, match="f: the token file is broken: "):
        decoded(content, "f")


@pytest.mark.parametrize(
    "content",
    [
        broken(name=SECRET + " "),
        broken(hash=SECRET),
        broken(**{SECRET: 1}),
        SECRET.encode(),
        json.dumps(SECRET).encode(),
        json.dumps({SECRET: SECRET}).encode(),
    ],
)
def test_a_token_in_a_wrong_place_is_not_told(content: bytes) -> None:
    """Messages go to logs."""
    with pytest.raises(PermanentError) as caught:
        decoded(content, "f")

    assert "aaaa" not in str(caught.value)
    assert "bbbb" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_with_too_many_or_too_much_is_refused() -> None:
    """What a request waits for has a bound."""
    too_many = json.loads(encoded((entry(0),)))
    too_many["tokens"] *= MOST_TOKENS + 1
    with pytest.raises(PermanentError, match=f"tokens: .*{MOST_TOKENS}"):
        decoded(json.dumps(too_many).encode(), "f")
    with pytest.raises(PermanentError, match=rf"f: .* too large; allowed: {MOST_BYTES} bytes"):
        decoded(encoded((entry(0),)) + b" " * MOST_BYTES, "f")


def test_the_most_tokens_with_the_longest_names_fit() -> None:
    """The two bounds agree."""
    tokens = tuple(entry(number, name=f"{number:04d}" + "x" * 249, expires=1e10 / 3) for number in range(MOST_TOKENS))

    assert len(encoded(tokens)) <= MOST_BYTES
    assert decoded(encoded(tokens), "f") == tokens


def test_an_entry_does_not_show_its_hash() -> None:
    """What is logged or raised by mistake has neither salt nor hash."""
    shown = repr(entry())

    assert "f" * 64 not in shown
    assert "0" * 32 not in shown
    assert "name-0" in shown


@pytest.mark.parametrize(("expires", "expired"), [(None, False), (10.0, True), (10.1, False), (9.9, True)])
def test_a_token_is_good_until_it_expires(expires: float | None, *, expired: bool) -> None:
    """At the very second it is no more."""
    assert entry(expires=expires).has_expired(10.0) is expired

"""Bodies as values: what is read, and what is refused with a place and a sentence."""

import asyncio
import json

import pytest
from starlette.requests import Request
from starlette.types import Message

from rollout.api.documents import Form, Reader
from rollout.api.problems import Refused

BOTH = (Form.JSON, Form.YAML)


def _request(body: bytes, *headers: tuple[str, str]) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    given = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return Request({"type": "http", "method": "PUT", "headers": given}, receive)


async def _read(body: bytes, content_type: str = "application/json", *forms: Form) -> dict[str, object]:
    return await Reader().document_in(_request(body, ("Content-Type", content_type)), *(forms or BOTH))


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"a": {"b": [1, 2.5, true, null, "c"]}}'),
        ("Application/JSON; charset=UTF-8", b'{"a": {"b": [1, 2.5, true, null, "c"]}}'),
        ("application/json", b'\xef\xbb\xbf{"a": {"b": [1, 2.5, true, null, "c"]}}'),
        ("application/yaml", b"a:\n  b: [1, 2.5, true, null, c]\n"),
        ("text/yaml", b"--- # one document\na: {b: [1, 2.5, true, ~, 'c']}\n"),
        ("application/x-yaml", b'{"a": {"b": [1, 2.5, true, null, "c"]}}'),
    ],
)
async def test_json_and_yaml_are_read_alike(content_type: str, body: bytes) -> None:
    """Both forms give the same value."""
    assert await _read(body, content_type) == {"a": {"b": [1, 2.5, True, None, "c"]}}


async def test_two_halves_of_a_character_are_one() -> None:
    """JSON that escapes a character as two halves means that character."""
    assert await _read(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (b"", "", "is not JSON"),
        (b"{", "", "line 1, column 2: is not JSON"),
        (b'{"a": 1} x', "", "is not JSON"),
        (b"\xff\xfe", "", "is not UTF-8"),
        (b"[]", "", "is no object"),
        (b'"text"', "", "is no object"),
        (b'{"a": {"b": 1, "b": 2}}', "b", "is given twice"),
        (b'{"a": NaN}', "", "NaN is no number"),
        (b'{"a": -Infinity}', "", "-Infinity is no number"),
        (b'{"a": [1e999]}', "a[0]", "must be a finite number"),
        (b'{"a": 99999999999999999999}', "a", "is too large a number"),
        (b'{"a": %s}' % (b"9" * 5000), "", "a number of 5000 digits is too long"),
        (b'{"a": "\\ud800"}', "a", "holds half a character"),
        (b'{"\\udc00": 1}', "", "holds half a character"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "a.a.a", "is nested too deep"),
        (b"[" * 200_000, "", "is nested too deep"),
        (json.dumps({"a": [0] * 30_000}).encode(), "", "has too many values"),
    ],
)
async def test_what_is_no_sound_json_is_malformed(body: bytes, field: str, words: str) -> None:
    """It is refused as 400, with the field where there is one, and a sentence."""
    with pytest.raises(Refused) as raised:
        await _read(body)

    assert raised.value.status == 400
    assert raised.value.problems[0].field == field
    assert words in raised.value.problems[0].message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "needs one document"),
        (b"a: 1\n---\nb: 2\n", "needs one document"),
        (b"kind: List\nitems: [{a: 1}, {b: 2}]\n", "needs one document"),
        (b"- a\n", "is no object"),
        (b"a: [", "is not YAML"),
        (b"a: 1\na: 2\n", "is given twice"),
        (b"a: .nan\n", "must be a finite number"),
        (b"a: -.inf\n", "must be a finite number"),
        (b"a: 99999999999999999999\n", "is too large a number"),
        (b'a: "\\ud800"\n', "holds half a character"),
        (b"a: \x00\n", "a control character"),
        (b"a: *b\n", "an anchor that is not there"),
        (b"a: &a [1]\nb: &b [*a,*a,*a,*a]\n" + b"c: [" + b"*b," * 9000 + b"]\n", "has too many values"),
        (b"[" * 5000, "is nested too deep"),
    ],
)
async def test_what_is_no_sound_yaml_is_malformed(body: bytes, words: str) -> None:
    """It is refused as 400 with a sentence; what blows up is stopped."""
    with pytest.raises(Refused) as raised:
        await _read(body, "application/yaml")

    assert raised.value.status == 400
    assert words in raised.value.problems[0].message


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "text/plain")],
        [("Content-Type", "")],
        [("Content-Type", "application/json; charset=latin-1")],
        [("Content-Type", "application/json;;;=,")] * 2,
        [("Content-Type", "multipart/form-data; boundary=x")],
        [("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
    ],
)
async def test_another_form_is_not_read(headers: list[tuple[str, str]]) -> None:
    """Another form, another character set, an encoded body or none told are refused as 415."""
    with pytest.raises(Refused) as raised:
        await Reader().document_in(_request(b"{}", *headers), *BOTH)

    assert raised.value.status == 415


async def test_yaml_is_refused_where_only_json_is_taken() -> None:
    """The sentence says which form is taken."""
    with pytest.raises(Refused) as raised:
        await _read(b"{}", "application/yaml", Form.JSON)

    assert raised.value.status == 415
    assert "allowed: application/json, in UTF-8" in raised.value.detail


async def test_long_bodies_are_read_aside() -> None:
    """While a long body is read, the loop goes on."""
    reading = asyncio.create_task(_read(b"a: b # " + b"x" * 500_000, "application/yaml"))
    turns = 0
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)

    assert reading.result() == {"a": "b"}
    assert turns > 5

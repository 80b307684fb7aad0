"""Bodies as values: JSON or YAML, read strictly, because what is read generously is read wrongly.

A field given twice, a number that is none, half a character, nesting without end: all are refused, and the sentence
says where. Called by the routes that take a body; what the document means is not looked at here.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.requests import Request

from rollout.api.problems import Refused, invalid, items_of, malformed, sentence_of
from rollout.api.shapes import Question
from rollout.errors import ConfigurationError
from rollout.spec.fields import Location, path_of, printable
from rollout.spec.sentences import told
from rollout.spec.text import DEEPEST, MOST_VALUES, manifests_in

T = TypeVar("T")
Q = TypeVar("Q", bound=Question)


class Form(StrEnum):
    """What a body can be."""

    JSON = "application/json"
    YAML = "application/yaml"


_CONTENT_TYPE = re.compile(
    r"([A-Za-z0-9.+/-]{1,100})[ \t]*(?:;[ \t]*charset=\"?(?:utf-?8|us-ascii)\"?[ \t]*)?", re.IGNORECASE
)
"""A media type, with UTF-8 or nothing as its charset."""

_FORMS: Mapping[str, Form] = {
    "application/json": Form.JSON,
    "application/yaml": Form.YAML,
    "application/x-yaml": Form.YAML,
    "text/yaml": Form.YAML,
    "text/x-yaml": Form.YAML,
}
_MOST_WHOLE = 2**63
_LONGEST_NUMBER = 400
_SHORT = 4096
"""Up to so many bytes, reading takes less time than a thread does to begin."""


class Reader:
    """Reads bodies. Long ones one at a time, in a thread: a second of reading must not hold up a rollback."""

    def __init__(self) -> None:
        """Begin with none."""
        self._turn = asyncio.Semaphore(1)

    async def document_in(self, request: Request, *forms: Form) -> dict[str, Any]:
        """Return the one document in the body, which is in one of ``forms``.

        Raises:
            Refused: it is in another form (415), or cannot be read (400).
        """
        form = _form_of(request, forms)
        body = await request.body()
        return await self.aside(request, lambda: _read(body, form))

    async def question_in(self, request: Request, model: type[Q]) -> Q:
        """Return the JSON body as this model.

        Raises:
            Refused: as ``document_in``; or it is none, and every problem is told (422).
        """
        document = await self.document_in(request, Form.JSON)
        return _asked(await request.body(), document, model)

    async def aside(self, request: Request, work: Callable[[], T]) -> T:
        """Return what ``work`` does with the body of the request; for a long one in a thread, when its turn comes."""
        if len(await request.body()) <= _SHORT:
            return work()
        async with self._turn:
            return await asyncio.to_thread(work)


def question_of(request: Request, body: bytes, model: type[Q]) -> Q:
    """Return a JSON body that was read before, and is short, as this model.

    Raises:
        Refused: as ``Reader.question_in``.
    """
    return _asked(body, _read(body, _form_of(request, (Form.JSON,))), model)


def _asked(body: bytes, document: dict[str, Any], model: type[Q]) -> Q:
    try:
        return model.model_validate_json(body.decode("utf-8-sig"), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise invalid(*(problem for _, problem in told(error, document, model))) from error


def _form_of(request: Request, forms: tuple[Form, ...]) -> Form:
    allowed = " or ".join(forms)
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise Refused(415, f"the body is encoded as {printable(encoding)!r}; allowed: not encoded")
    given = request.headers.getlist("content-type")
    if len(given) != 1:
        raise Refused(415, f"the body needs one Content-Type; allowed: {allowed}")
    found = _CONTENT_TYPE.fullmatch(given[0])
    form = _FORMS.get(found[1].lower()) if found is not None else None
    if form not in forms:
        raise Refused(415, f"the Content-Type is {printable(given[0])!r}; allowed: {allowed}, in UTF-8")
    return form


def _read(body: bytes, form: Form) -> dict[str, Any]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise malformed("", "the body is not UTF-8", given=f"byte {error.start}", allowed="UTF-8") from error
    value = json_in(text) if form is Form.JSON else _yaml_in(text)
    if not isinstance(value, dict):
        raise malformed("", "the body is no object", given=type(value).__name__, allowed="an object")
    return value


def _yaml_in(text: str) -> object:
    try:
        manifests = manifests_in(text)
    except ConfigurationError as error:
        raise Refused(400, sentence_of(error.problems), problems=items_of(error.problems)) from error
    if len(manifests) != 1:
        raise malformed("", "the body needs one document", given=str(len(manifests)), allowed="exactly one")
    _check(manifests[0].value)
    return manifests[0].value


class _Twice(ValueError):
    """A field is given twice."""


def json_in(text: str) -> object:
    """Return the value of a JSON text.

    Raises:
        Refused: it is none, has a field twice, or holds what no document of ours can hold.
    """
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_int=_whole)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise malformed("", f"{where}: is not JSON: {error.msg}", given="this text", allowed="JSON") from error
    except _Twice as error:
        raise malformed(str(error), "is given twice", allowed="each field once") from error
    except ValueError as error:
        raise malformed("", f"is not JSON: {error}", allowed="finite numbers") from error
    except RecursionError as error:
        raise malformed("", "is nested too deep", allowed=f"at most {DEEPEST} levels") from error
    _check(value)
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(path_of((name,)))
        found[name] = value
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _whole(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits)} digits is too long")
    return int(digits)


def _check(value: object) -> None:
    """Refuse what the documents of ours cannot hold, wherever it stands."""
    left: list[tuple[Location, object]] = [((), value)]
    count = 0
    while left:
        place, node = left.pop()
        count += 1
        if count > MOST_VALUES:
            raise malformed("", "has too many values", allowed=f"at most {MOST_VALUES} values")
        if len(place) > DEEPEST:
            raise malformed(path_of(place[:3]), "is nested too deep", allowed=f"at most {DEEPEST} levels")
        if isinstance(node, dict):
            left += [((*place, _text(name, place)), item) for name, item in node.items()]
        elif isinstance(node, list):
            left += [((*place, index), item) for index, item in enumerate(node)]
        else:
            _check_plain(node, place)


def _check_plain(node: object, place: Location) -> None:
    if isinstance(node, str):
        _text(node, place)
    elif isinstance(node, float) and not math.isfinite(node):
        raise malformed(path_of(place), "must be a finite number", given=str(node), allowed="a finite number")
    elif isinstance(node, int) and not -_MOST_WHOLE <= node < _MOST_WHOLE:
        raise malformed(path_of(place), "is too large a number", given=printable(str(node)), allowed="64 bits")


def _text(text: str, place: Location) -> str:
    """Return ``text``, if it is whole: half a character of two cannot be written again."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        given = printable(text)
        raise malformed(path_of(place), "holds half a character", given=given, allowed="Unicode text") from error
    return text

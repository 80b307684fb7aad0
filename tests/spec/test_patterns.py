"""Facts about the patterns in the JSON schema: they allow what is read, and refuse what is not."""

import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from rollout.spec.base import PromQL, Url
from rollout.spec.metrics import LabelValue, Selector
from rollout.spec.quantities import Duration, Fraction, PositiveDuration, SureFraction

TYPES: dict[str, Any] = {
    "duration": Duration,
    "positive duration": PositiveDuration,
    "fraction": Fraction,
    "sure fraction": SureFraction,
    "url": Url,
    "query": PromQL,
    "selector": Selector,
    "label value": LabelValue,
}
DURATIONS = [
    "0",
    "0s",
    "0.0ms",
    "5m",
    "1h30m",
    "0h0.5s",
    "10ms",
    "0.05s",
    "5",
    "m",
    "-1s",
    "1 s",
    "1w",
    "",
    "00s",
    "0s1d",
]
FRACTIONS = [
    "0%",
    "5 %",
    "50%",
    "99.99%",
    "100%",
    "100.0%",
    "049%",
    "0100%",
    "101%",
    "100.1%",
    "1000%",
    "5",
    "%",
    "-1%",
]
TEXTS = [
    *(
        "x",
        "{",
        "x{",
        "{{",
        "{ {",
        "x{{ backend.name }}",
        "{{namespace}}{{route.name}}",
        "{{{ backend.port }}}",
        "x\ty",
    ),
    *(
        "{{ pod }}",
        "{{ namespace",
        "{{{{ namespace }}}}",
        "namespace }}",
        "{{ namespace }",
        "x\x00",
        "{{  namespace}}{",
    ),
]
SELECTORS = [
    *(
        "x",
        "x:y_1",
        "x{}",
        'x{a="b"}',
        '{a="b"}',
        'x{a="{"}',
        'x{a="\\""}',
        'x{a="{{ backend.name }}"}',
        "{{ namespace }}_x",
    ),
    *("", "1x", "rate(x[1m])", "x[1m]", "x + y", "x{", 'x{a="b"', "{}", 'x{a="{{ pod }}"}', "x y", 'x{a="b"} > 1'),
]
URLS = [
    *("http://a", "https://a.b:80/c?d=e", "http://[::1]:8080/", "http://127.0.0.1?x", "http://a/@b"),
    *(
        "",
        "a",
        "ftp://a",
        "http://",
        "http:///x",
        "http://me@a",
        "http://me:1@a/",
        "http://a b",
        "http://a:x",
        "http://a#b",
    ),
]
GIVEN = {
    **dict.fromkeys(("duration", "positive duration"), DURATIONS),
    **dict.fromkeys(("fraction", "sure fraction"), FRACTIONS),
    **dict.fromkeys(("query", "label value"), TEXTS),
    "selector": SELECTORS,
    "url": URLS,
}
ROWS = [(name, text) for name, texts in GIVEN.items() for text in texts]


def is_read(adapter: TypeAdapter[Any], text: str) -> bool:
    """Return whether the model takes a text."""
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("name", "text"), ROWS)
def test_a_pattern_agrees_with_the_reader(name: str, text: str) -> None:
    """The API server and other programs refuse by the schema what the models refuse, and nothing else."""
    adapter = TypeAdapter(TYPES[name])
    schema = adapter.json_schema()
    long_enough = len(text) >= schema.get("minLength", 0)
    matches = re.search(schema["pattern"].removesuffix("$") + r"\Z", text) is not None

    assert (matches and long_enough) == is_read(adapter, text)

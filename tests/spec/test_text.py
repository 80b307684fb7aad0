"""Manifests as text: values, lines, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.errors import ConfigurationError
from rollout.spec.scalars import plain
from rollout.spec.text import MOST_BYTES, manifests_in


def refused(text: str) -> str:
    """Return what is said of a text that is refused."""
    with pytest.raises(ConfigurationError) as caught:
        manifests_in(text, source="x.yaml")
    return str(caught.value)


def test_every_field_has_its_line() -> None:
    """Fields and entries of lists are found by their path; what is not there by what is around it."""
    (manifest,) = manifests_in("a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n")

    assert manifest.value == {"a": 1, "b": ["x", {"c": 2, "d": 3}]}
    assert [manifest.line_of(path) for path in ("a", "b", "b[0]", "b[1].c", "b[1].d")] == [1, 2, 3, 4, 5]
    assert [manifest.line_of(path) for path in ("b[1].e.f", "b[7]", "z", "")] == [4, 2, 1, 1]


def test_documents_come_one_by_one_and_empty_ones_not_at_all() -> None:
    """A text may hold many documents; each knows its own lines."""
    one, two = manifests_in("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n")

    assert (one.value, one.line_of("a")) == ({"a": 1}, 3)
    assert (two.value, two.line_of("b")) == ({"b": 2}, 7)


def test_the_items_of_a_list_are_documents() -> None:
    """A document of kind List stands for its items, with their own paths and lines."""
    one, two = manifests_in("kind: List\nitems:\n  - a: 1\n    b: [x]\n  - c: 2\n")

    assert (one.value, dict(one.lines)) == ({"a": 1, "b": ["x"]}, {"a": 3, "b": 4, "b[0]": 4})
    assert (two.value, two.line) == ({"c": 2}, 5)


@pytest.mark.parametrize("text", ["kind: List\n", "kind: List\nitems: 5\n", "- kind: List\n"])
def test_a_list_without_items_is_a_document_like_any_other(text: str) -> None:
    """Only a mapping of kind List with a list of items is taken apart."""
    assert len(manifests_in(text)) == 1


def test_an_alias_stands_for_its_anchor() -> None:
    """Anchors and aliases of YAML work, as long as they stay small."""
    (manifest,) = manifests_in("a: &x {b: 1}\nc: *x\nd: &y [1]\ne: *y\nf: &z 5\ng: *z\n")

    assert manifest.value == {"a": {"b": 1}, "c": {"b": 1}, "d": [1], "e": [1], "f": 5, "g": 5}


def test_json_with_tabs_is_read() -> None:
    """JSON is YAML, also with tabs between its values."""
    (manifest,) = manifests_in('{\n\t"a":\t1.5\n}')

    assert (manifest.value, manifest.line_of("a")) == ({"a": 1.5}, 2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\na: 2\n", "x.yaml:2: is given twice (given: a); allowed: each field once"),
        ("a: *x\n", "x.yaml:1: names an anchor that is not there (given: *x); allowed: an anchor above"),
        ("a: &x [*x]\n", "x.yaml:1: names an anchor that is not there (given: *x); allowed: an anchor above"),
        ("a: b: c\n", "x.yaml:1: column 5: is not YAML: mapping values are not allowed here"),
        ("a: 1\n  b: 2\n\x00", "x.yaml:3: column 1: is not YAML: a control character (given: U+0000)"),
        ("a: [\n", "x.yaml:2: column 1: is not YAML: expected the node content"),
        ("a: " + "[" * 33 + "]" * 33, "x.yaml:1: is nested too deep"),
        ("[" * 100_000, "x.yaml:1: is nested too deep"),
        ("- x\n" * 20_001, "x.yaml:20000: has too many values"),
        ("{a: 1}: 2\n", "x.yaml:1: has a field name that is not text"),
        (
            "a" * (MOST_BYTES + 1),
            f"x.yaml:1: is too large (given: more than {MOST_BYTES} bytes); allowed: at most {MOST_BYTES}",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, sentence: str) -> None:
    """A text that is broken or hostile is refused with file, line and reason."""
    assert refused(text).startswith(sentence)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("on", "on"),
        ("no", "no"),
        ("12", 12),
        ("-012", -12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", float("inf")),
        ("-.inf", float("-inf")),
        ("1.2.3", "1.2.3"),
        ("2026-11-21", "2026-11-21"),
        ("1_000", "1_000"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_plain_word_is_read_by_the_core_schema(word: str, value: object) -> None:
    """Numbers, booleans and null are what YAML 1.2 says; dates and `on` are text."""
    assert plain(word) == value
    assert type(plain(word)) is type(value)


def test_not_a_number_is_one() -> None:
    """`.nan` is the number that is none, for the models to refuse."""
    found = plain(".nan")

    assert found != found  # noqa: PLR0124 - that is how NaN is known


def test_quotes_and_tags_make_text() -> None:
    """What stands in quotes or is tagged as text is text."""
    (manifest,) = manifests_in("a: '1'\nb: \"true\"\nc: !!str 5\nd: !other 5\ne: |\n  1\n")

    assert manifest.value == {"a": "1", "b": "true", "c": "5", "d": 5, "e": "1\n"}


@given(st.text(alphabet=st.sampled_from("ab: -[]{}&*!|>\n\t'\"#%@`,?~\x00"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the reader fail in another way than refusing it with a line."""
    try:
        manifests_in(text, source="x")
    except ConfigurationError as error:
        problems = error.problems
    else:
        return

    assert all(problem.line > 0 for problem in problems)


def test_numbers_that_no_number_can_be_are_refused() -> None:
    """An escape beyond all characters is no YAML, and says so like any other fault."""
    with pytest.raises(ConfigurationError, match="is not YAML"):
        manifests_in('a: "\\UFFFFFFFF"', source="one.yaml")

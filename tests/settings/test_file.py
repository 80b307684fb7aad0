"""A file of settings as text: values, lines, and what is said of files that are none."""

from pathlib import Path

import pytest

from rollout.errors import ConfigurationError
from rollout.settings.file import read_file


def put(folder: Path, name: str, text: str) -> Path:
    """Write a file."""
    path = folder / name
    path.write_text(text)
    return path


TOML = '# ours\ntick = "5s"\n\n"streams" = 3\nrds = [\n  "a",\n  "b",\n]\n[admin]\nx = 1\n'
YAML = "# ours\ntick: 5s\n\nstreams: 3\nrds:\n- a\n- b\nadmin: {x: 1}\n"


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("s.toml", TOML, {"tick": 2, "streams": 4, "rds": 5, "admin": 9}),
        ("s.yaml", YAML, {"tick": 2, "streams": 4, "rds": 5, "admin": 8}),
    ],
)
def test_values_and_their_lines_are_read(tmp_path: Path, name: str, text: str, lines: dict[str, int]) -> None:
    """Both kinds of files say the same, and where."""
    written = read_file(put(tmp_path, name, text))

    assert written.values == {"tick": "5s", "streams": 3, "rds": ["a", "b"], "admin": {"x": 1}}
    assert {key: line for key, line in written.lines.items() if key in lines} == lines


@pytest.mark.parametrize("name", ["s.toml", "s.yaml", "s.yml", "s.json"])
def test_an_empty_file_says_nothing(tmp_path: Path, name: str) -> None:
    """It is no error."""
    written = read_file(put(tmp_path, name, "\n"))

    assert dict(written.values) == {}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("s.toml", 'tick = "5s"\ntick = "6s"\n', r"s\.toml:2: is not TOML: cannot overwrite a value"),
        ("s.toml", 'tick = "5s', r"s\.toml:1: is not TOML: "),
        ("s.toml", "tick = 5s\n", r"s\.toml:1: is not TOML: "),
        ("s.yaml", "tick: 5s\ntick: 6s\n", r"s\.yaml:2: is given twice"),
        ("s.yaml", "a: [", r"s\.yaml:1: .*is not YAML"),
        ("s.yaml", "- tick\n", r"s\.yaml:1: is no mapping"),
        ("s.yaml", "tick: 5s\n---\ntick: 6s\n", r"s\.yaml:3: has more than one document"),
        ("s.ini", "tick=5s\n", r"s\.ini: is of no known kind \(given: \.ini\); allowed: \.toml, \.yaml"),
        ("s.toml", "x" * 1_100_000, r"s\.toml: is too large"),
    ],
)
def test_what_is_no_file_of_settings_is_said(tmp_path: Path, name: str, text: str, said: str) -> None:
    """The sentence names the file, the line where there is one, and what is wrong."""
    path = put(tmp_path, name, text)

    with pytest.raises(ConfigurationError, match=said):
        read_file(path)


def test_bytes_that_are_no_text_are_said(tmp_path: Path) -> None:
    """The sentence has the line."""
    path = tmp_path / "s.toml"
    path.write_bytes(b'tick = "5s"\nadmin = "\xff"\n')

    with pytest.raises(ConfigurationError, match=r"s\.toml:2: is not text; allowed: UTF-8"):
        read_file(path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """The sentence names it."""
    with pytest.raises(ConfigurationError, match=r"none\.toml: cannot be read: No such file"):
        read_file(tmp_path / "none.toml")

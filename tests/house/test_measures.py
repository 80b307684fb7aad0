"""The measures that CONTRIBUTING.md names, taken of `rollout/` on every run; complexity is ruff's (C901)."""

import re
import subprocess
from statistics import median

import pytest

from tests.house.source import ROOT, files, functions, names

FILE_LINES, PURE_FILE_LINES, MEDIAN_FILE_LINES = 400, 250, 150
FUNCTION_LINES, PURE_FUNCTION_LINES, MEDIAN_FUNCTION_LINES = 50, 30, 10
DEPTH = 3
ARGUMENTS = 6

pytestmark = pytest.mark.xdist_group("source")
"""In one process, which reads the source once."""

VAGUE_FILES = {"utils", "util", "helpers", "helper", "common", "manager"}
VAGUE_WORDS = {"manager", "helper", "helpers", "util", "utils", "master", "slave"}
TOP_LEVEL = {
    *(".ci", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md"),
    *("deploy", "docs", "policies", "pyproject.toml", "rollout", "tests", "uv.lock"),
}


def test_no_file_is_too_long() -> None:
    """A module has at most 400 lines, in a pure room 250."""
    long = [f"{file.path}: {file.lines}" for file in files() if file.lines > _most_lines(pure=file.pure)]

    assert not long


def test_files_are_short_as_a_rule() -> None:
    """Half of the modules have at most 150 lines."""
    assert median(file.lines for file in files()) <= MEDIAN_FILE_LINES


def test_no_function_is_too_long() -> None:
    """A function has at most 50 lines beside its docstring, in a pure room 30."""
    limits = {True: PURE_FUNCTION_LINES, False: FUNCTION_LINES}
    long = [f"{function.where}: {function.lines}" for function in functions() if function.lines > limits[function.pure]]

    assert not long


def test_functions_are_short_as_a_rule() -> None:
    """Half of the functions have at most 10 lines beside their docstring."""
    assert median(function.lines for function in functions()) <= MEDIAN_FUNCTION_LINES


def test_no_function_is_too_deep() -> None:
    """Blocks lie in blocks at most three deep."""
    deep = [f"{function.where}: {function.depth}" for function in functions() if function.depth > DEPTH]

    assert not deep


def test_no_function_takes_too_much() -> None:
    """A function takes at most six arguments; only a constructor or a command of the CLI takes more."""
    greedy = [
        f"{function.where}: {len(function.arguments)}"
        for function in functions()
        if len(function.arguments) > ARGUMENTS and function.name != "__init__" and "rollout/cli/" not in function.where
    ]

    assert not greedy


def test_no_file_has_a_name_that_says_nothing() -> None:
    """A module is named after what is in it."""
    vague = [file.path for file in files() if file.path.rsplit("/", 1)[-1].removesuffix(".py") in VAGUE_FILES]

    assert not vague


def test_no_name_says_nothing() -> None:
    """No function, class, argument or variable of ours is a manager, helper or util."""
    vague = [
        f"{file.path}:{line} {name}"
        for file in files()
        for line, name in names(file.tree)
        if VAGUE_WORDS & set(re.findall(r"[a-z]+", re.sub(r"([A-Z])", r" \1", name).lower()))
    ]

    assert not vague


def test_every_module_tells_its_purpose() -> None:
    """A module with code starts with a docstring, and so does a package with more than one module."""
    silent = [file.path for file in files() if file.tree.body and not _docstring_line(file.tree.body[0])]

    assert not silent


def test_the_root_holds_what_it_should() -> None:
    """The tree has no entry at its root but the known ones."""
    tracked = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - the git on PATH is the one that made this checkout
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert {path.split("/", 1)[0] for path in tracked.stdout.splitlines()} <= TOP_LEVEL


def _most_lines(*, pure: bool) -> int:
    return PURE_FILE_LINES if pure else FILE_LINES


def _docstring_line(first: object) -> bool:
    value = getattr(first, "value", None)
    return isinstance(getattr(value, "value", None), str)

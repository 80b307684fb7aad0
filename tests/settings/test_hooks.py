"""The file of start hooks: what it may say, and every problem with its place."""

from pathlib import Path

import pytest

from rollout.errors import ConfigurationError
from rollout.settings.hooks import read_hooks

GOOD = """
hooks:
  - name: ci
    secretFile: ci.secret
    namespaces: [shop, bank]
    rollouts: [web-*, api]
  - name: other
    secretFile: /run/secrets/other
    namespaces: [shop]
"""


def written(folder: Path, text: str) -> Path:
    """Return a file with this text."""
    file = folder / "hooks.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_hooks_are_read_with_their_files_beside_them(tmp_path: Path) -> None:
    """A path is seen from the folder of the file, unless it is absolute."""
    ci, other = read_hooks(written(tmp_path, GOOD))

    assert (ci.name, ci.secret_file, other.secret_file) == ("ci", str(tmp_path / "ci.secret"), "/run/secrets/other")


@pytest.mark.parametrize(
    ("namespace", "name", "may"),
    [("shop", "web-1", True), ("bank", "api", True), ("shop", "web", False), ("till", "api", False)],
)
def test_a_hook_may_start_what_is_named(tmp_path: Path, namespace: str, name: str, *, may: bool) -> None:
    """Namespaces by name, Rollouts by pattern."""
    assert read_hooks(written(tmp_path, GOOD))[0].may_start(namespace, name) is may


def test_all_rollouts_of_a_namespace_are_meant_unless_some_are_named(tmp_path: Path) -> None:
    """The namespaces have to be."""
    assert read_hooks(written(tmp_path, GOOD))[1].may_start("shop", "anything")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not one mapping; allowed: one mapping with hooks, a list"),
        ("[]", "is not one mapping; allowed: one mapping with hooks, a list"),
        ("hooks: []\n---\nhooks: []", "is not one mapping; allowed: one mapping with hooks, a list"),
        ("hooks:\n  - {name: ci, secretFile: x}", "hooks[0].namespaces: is required"),
        ("hooks:\n  - {name: ci, secretFile: x, namespaces: []}", "hooks[0].namespaces: "),
        ("hooks:\n  - {name: Ci, secretFile: x, namespaces: [a]}", "hooks[0].name: "),
        ("hooks:\n  - {name: ci, secretFile: x, namespaces: [a], rollouts: ['a/b']}", "hooks[0].rollouts[0]: "),
        ("hooks:\n  - {name: ci, secret: x, namespaces: [a]}", "hooks[0].secret: "),
        (GOOD.replace("other", "ci", 1), "hooks[1].name: is used before (given: ci)"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    """File, line and field."""
    file = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as refused:
        read_hooks(file)

    sentences = [str(problem) for problem in refused.value.problems]
    assert any(said in sentence and sentence.startswith(str(file)) for sentence in sentences), sentences

"""Which cluster is found, and what is said when none is."""

import json
from pathlib import Path

import pytest

from rollout.errors import ConfigurationError
from rollout.kube.config import IN_POD, MOST_CONNECTIONS, configuration


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home without a kubeconfig, outside of any pod."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv(IN_POD, raising=False)
    return tmp_path


def write(path: Path, *contexts: str) -> Path:
    """Write a kubeconfig whose contexts each lead to a host of their name; the first is the current one."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": contexts[0],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443"}} for name in contexts],
        "users": [{"name": name, "user": {"token": f"secret-{name}"}} for name in contexts],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in contexts],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


async def test_a_file_that_was_named_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before KUBECONFIG, and that before the file at home."""
    write(home / ".kube" / "config", "home")
    assert (await configuration()).host == "https://home:6443"
    monkeypatch.setenv("KUBECONFIG", str(write(home / "env", "env")))
    assert (await configuration()).host == "https://env:6443"

    found = await configuration(write(home / "named", "named"))

    assert found.host == "https://named:6443"
    assert found.connection_pool_maxsize == MOST_CONNECTIONS


async def test_a_context_may_be_chosen(home: Path) -> None:
    """Other than the current one."""
    path = write(home / "named", "one", "two")

    assert (await configuration(path, "two")).host == "https://two:6443"


async def test_several_files_are_merged(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As kubectl does: the first that names a current context is right; one that is not there does not matter."""
    monkeypatch.setenv("KUBECONFIG", f"{home / 'nowhere'}:{write(home / 'a', 'one')}:{write(home / 'b', 'two')}")

    assert (await configuration()).host == "https://one:6443"
    assert (await configuration(context="two")).host == "https://two:6443"


@pytest.mark.parametrize("text", ["", "[]", "{", "current-context: x", "\x00"])
async def test_a_file_that_is_none_is_said(home: Path, text: str) -> None:
    """Whatever is in it: one problem with the file's name."""
    path = home / "broken"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        await configuration(path)

    (problem,) = caught.value.problems
    assert f"{path} cannot be used: " in problem.message


async def test_a_context_that_is_not_there_is_said(home: Path) -> None:
    """With its name, and without a secret."""
    path = write(home / "named", "one")

    with pytest.raises(ConfigurationError) as caught:
        await configuration(path, "two")

    (problem,) = caught.value.problems
    assert f"context two of {path} cannot be used: " in problem.message
    assert "secret" not in str(caught.value)


async def test_no_cluster_at_all_is_said() -> None:
    """With the ways to name one."""
    with pytest.raises(ConfigurationError) as caught:
        await configuration()

    (problem,) = caught.value.problems
    assert problem.message == "there is no cluster to speak with"
    assert "KUBECONFIG" in problem.allowed

"""A secret is what its file holds now; a file that holds none is named, its content is not."""

import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from rollout.aside import THREAD, Aside
from rollout.errors import PermanentError, Unavailable
from rollout.notify.senders import secret_files
from rollout.notify.senders.secret_files import MOST_BYTES, Secret
from tests.waiting import until


def secret(file: Path | None = None, value: str | None = None) -> Secret:
    """Return the token of a sink."""
    return Secret(
        "sink team", "token", Aside("sink team"), file=file, value=None if value is None else SecretStr(value)
    )


async def error_of(one: Secret) -> str:
    """Return what is said of a secret that cannot be read."""
    with pytest.raises(PermanentError) as caught:
        await one.read()
    return str(caught.value)


async def test_it_is_read_anew_each_time(tmp_path: Path) -> None:
    """Without the blanks around it."""
    file = tmp_path / "token"
    one = secret(file)
    file.write_text("  first\n", encoding="utf-8")
    first = await one.read()
    file.write_text("second\r\n", encoding="utf-8")

    assert (first, await one.read()) == ("first", "second")


async def test_it_may_stand_in_the_file_of_sinks(tmp_path: Path) -> None:
    """A file of its own wins."""
    file = tmp_path / "token"
    file.write_text("own", encoding="utf-8")

    assert await secret(value=" plain ").read() == "plain"
    assert await secret(file, "plain").read() == "own"


async def test_the_largest_is_4_kib(tmp_path: Path) -> None:
    """One byte more is something else."""
    file = tmp_path / "token"
    file.write_text("x" * MOST_BYTES, encoding="utf-8")
    whole = await secret(file).read()
    file.write_text("x" * (MOST_BYTES + 1), encoding="utf-8")

    assert len(whole) == MOST_BYTES
    assert (
        await error_of(secret(file)) == f"sink team: its token cannot be read from {file}: it is larger than 4096 bytes"
    )


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A person has to make it."""
    file = tmp_path / "token"

    assert await error_of(secret(file)) == f"sink team: its token cannot be read from {file}: there is no such file"


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """As when a volume was mounted one level too high."""
    assert await error_of(secret(tmp_path)) == f"sink team: its token cannot be read from {tmp_path}: it is not a file"


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
async def test_a_path_that_cannot_be_is_said(path: str) -> None:
    """It is no crash."""
    assert (await error_of(secret(Path(path)))).startswith("sink team: its token cannot be read from ")


async def test_an_empty_one_is_none(tmp_path: Path) -> None:
    """As when a rotation has written half."""
    file = tmp_path / "token"
    file.write_text(" \n", encoding="utf-8")

    assert await error_of(secret(file)) == f"sink team: its token in {file} is empty"


@pytest.mark.parametrize("content", [b"to\x00ken", b"to\rken", "tökén".encode(), b"\xff\xfe"])
async def test_what_cannot_be_part_of_a_header_is_none(tmp_path: Path, content: bytes) -> None:
    """It is not shown."""
    file = tmp_path / "token"
    file.write_bytes(content)

    assert await error_of(secret(file)) == f"sink team: its token in {file} holds characters that cannot be part of one"


async def test_none_at_all_is_said() -> None:
    """A sink that was made without."""
    assert await error_of(secret()) == "sink team has no token"


async def test_a_file_that_hangs_may_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is elsewhere may come back."""
    file, go = tmp_path / "token", threading.Event()
    monkeypatch.setattr(secret_files, "FILE_SECONDS", 0.05)
    monkeypatch.setattr(Path, "is_file", lambda _: go.wait(20))
    with pytest.raises(Unavailable) as caught:
        await secret(file).read()
    go.set()
    await until(lambda: not any(thread.name == THREAD for thread in threading.enumerate()))

    assert str(caught.value) == f"sink team: its token is not read from {file} within 0.05 s"

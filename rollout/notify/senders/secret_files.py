"""Addresses, tokens and signing secrets: read anew for each message, so that a rotated one needs no restart.

Called by the senders. What is read is returned and kept nowhere; errors name the sink and the file, never its content.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from rollout.aside import Aside
from rollout.errors import PermanentError, Unavailable

MOST_BYTES = 4096
"""A file that is larger holds something else than one secret."""

FILE_SECONDS = 5.0
"""How long a file may take, on a disk that is somewhere else."""


class Secret:
    """One secret of a sink, from its file or from the file of sinks."""

    def __init__(
        self, owner: str, what: str, aside: Aside, *, file: Path | None = None, value: SecretStr | None = None
    ) -> None:
        """Belong to ``owner`` (``sink team-slack``) and be called ``what`` in errors; ``file`` wins over ``value``."""
        self._owner = owner
        self._aside = aside
        self._what = what
        self._file = file
        self._value = value

    async def read(self) -> str:
        """Return it without blanks around it.

        Raises:
            Unavailable: its file cannot be read in time.
            PermanentError: there is none, its file cannot be read, or holds what cannot be one.
        """
        if self._file is not None:
            try:
                async with asyncio.timeout(FILE_SECONDS):
                    return await self._aside.call(partial(self._from_file, self._file))
            except TimeoutError:
                pass
            raise Unavailable(
                f"{self._owner}: its {self._what} is not read from {self._file} within {FILE_SECONDS:g} s"
            )
        if self._value is None:
            raise PermanentError(f"{self._owner} has no {self._what}")
        return self._checked(self._value.get_secret_value(), "")

    def _from_file(self, file: Path) -> str:
        problem, content = _content(file)
        if problem:
            raise PermanentError(f"{self._owner}: its {self._what} cannot be read from {file}: {problem}")
        return self._checked(content, f" in {file}")

    def _checked(self, text: str, place: str) -> str:
        found = text.strip()
        if not found:
            raise PermanentError(f"{self._owner}: its {self._what}{place} is empty")
        if any(not (char.isascii() and char.isprintable()) and char != "\n" for char in found):
            raise PermanentError(f"{self._owner}: its {self._what}{place} holds characters that cannot be part of one")
        return found


def _content(file: Path) -> tuple[str, str]:
    """Return what is wrong with the file (empty: nothing), and its content."""
    try:
        if not file.is_file():
            return ("it is not a file" if file.exists() else "there is no such file"), ""
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        return (getattr(error, "strerror", None) or "the path cannot be one"), ""
    if len(content) > MOST_BYTES:
        return f"it is larger than {MOST_BYTES} bytes", ""
    return "", content.decode("utf-8", errors="replace")

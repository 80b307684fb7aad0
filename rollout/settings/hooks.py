"""The file of start hooks: who may start which Rollouts with a signed call, and the file of the secret to sign with.

Read when the service starts; the secrets themselves are read when they are used. Called by ``rollout.bootstrap`` and
by the API, which knows nothing of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import Field

from rollout.errors import ConfigurationError, Problem
from rollout.settings.file import text_of
from rollout.spec.base import Model, Name
from rollout.spec.fields import path_of
from rollout.spec.reading import read
from rollout.spec.text import manifests_in

ALLOWED = "one mapping with hooks, a list"

HookName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        json_schema_extra={"allowed": "lowercase letters, digits and -, at most 63"},
    ),
]
Glob = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_.*?-]{1,253}$",
        json_schema_extra={"allowed": "a name in which * stands for any letters and ? for one"},
    ),
]
SecretFile = Annotated[str, Field(min_length=1, max_length=4096, json_schema_extra={"allowed": "a path"})]


class StartHook(Model):
    """Who may start what."""

    name: HookName
    """What it is called in the path of the call, in logs and in ``by``."""
    secret_file: SecretFile
    """File of the secret that calls are signed with; seen from this file's folder."""
    namespaces: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]
    """The namespaces whose Rollouts it may start."""
    rollouts: Annotated[tuple[Glob, ...], Field(min_length=1, max_length=100)] = ("*",)
    """The names of those Rollouts."""

    def may_start(self, namespace: str, name: str) -> bool:
        """Return whether it may start this Rollout."""
        return namespace in self.namespaces and any(fnmatchcase(name, glob) for glob in self.rollouts)


class StartHooks(Model):
    """The file."""

    hooks: Annotated[tuple[StartHook, ...], Field(max_length=100)] = ()
    """The hooks."""


def read_hooks(path: Path) -> tuple[StartHook, ...]:
    """Return the hooks that the file names, the paths in it absolute.

    Raises:
        ConfigurationError: it cannot be read, or holds what is wrong; each problem has file, line and field.
    """
    source = str(path)
    documents = manifests_in(text_of(path), source=source)
    if len(documents) != 1 or not isinstance(documents[0].value, Mapping):
        line = documents[-1].line if documents else 0
        raise ConfigurationError((Problem("", "is not one mapping", allowed=ALLOWED, source=source, line=line),))
    reading = read(documents[0].value, StartHooks, _names_are_unique)
    if reading.value is None or reading.problems:
        lines = [(documents[0].line_of(path_of(where)), problem) for where, problem in reading.problems]
        raise ConfigurationError(tuple(replace(problem, source=source, line=line) for line, problem in lines))
    folder = path.absolute().parent
    return tuple(
        hook.model_copy(update={"secret_file": str(folder / hook.secret_file)}) for hook in reading.value.hooks
    )


def _names_are_unique(file: StartHooks) -> Iterator[Problem]:
    names = [hook.name for hook in file.hooks]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(f"hooks[{index}].name", "is used before", given=name, allowed="a name of its own")

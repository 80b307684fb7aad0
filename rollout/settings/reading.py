"""Settings from flags, environment, file and defaults, in this order; every problem at once, by where it was given.

Called by ``rollout serve`` and ``rollout config``. It does not know the command line: flags come as texts by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from rollout.errors import ConfigurationError, Problem
from rollout.settings.file import Written, read_file
from rollout.settings.rows import BY_FIELD, BY_NAME, CONFIG_VARIABLE, SETTINGS, Setting, Shape
from rollout.settings.table import ServeSettings, rules
from rollout.spec.fields import Location
from rollout.spec.quantities import parse_duration
from rollout.spec.reading import read
from rollout.spec.sentences import guess, shown

PREFIX = "ROLLOUT_"
OTHERS = frozenset(
    {
        *("ROLLOUT_CONTEXT", "ROLLOUT_SERVER", "ROLLOUT_TOKEN", "ROLLOUT_TOKEN_FILE", "ROLLOUT_CA_FILE"),
        *("ROLLOUT_NAMESPACE", "ROLLOUT_CONFIG", "ROLLOUT_TOOLS", "ROLLOUT_REWRITE", "ROLLOUT_TEST_RUN"),
        CONFIG_VARIABLE,
    }
)
"""Variables that begin as ours do and are not settings: those of the command line, of make and of the tests."""


class Kind(StrEnum):
    """Where a value comes from, the weakest first."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "env"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from: ``name`` is that of the flag, of the variable, or in the file."""

    kind: Kind
    name: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        """Return it as people are told: ``default``, ``rollout.toml:3``, ``env ROLLOUT_TICK`` or ``flag --tick``."""
        match self.kind:
            case Kind.DEFAULT:
                return "default"
            case Kind.FILE:
                return f"{self.file}:{self.line}" if self.line else self.file
            case Kind.ENVIRONMENT | Kind.FLAG:
                return f"{self.kind.value} {self.name}"


@dataclass(frozen=True, slots=True)
class Effective:
    """The settings that hold, where each comes from (by field), and what is odd but no error."""

    settings: ServeSettings
    origins: Mapping[str, Origin]
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Given:
    value: object
    origin: Origin


def read_settings(flags: Mapping[str, object], environment: Mapping[str, str], file: Path | None = None) -> Effective:
    """Return the effective settings.

    ``flags`` has a text (or texts, where a flag may be given again) by the name of the setting; ``file`` was named by
    a flag, else the environment may name it.

    Raises:
        ConfigurationError: everything that is wrong, with the flag, the variable, or the file and line.
    """
    named = file or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    written = read_file(named) if named is not None else Written({}, {})
    problems: list[Problem] = []
    given = {**_of_file(written, str(named), problems), **_of_environment(environment), **_of_flags(flags)}
    settings = _checked(given, problems)
    if settings is None or problems:
        raise ConfigurationError(tuple(problems))
    origins = {
        row.field: given[row.field].origin if row.field in given else Origin(Kind.DEFAULT, row.flag) for row in SETTINGS
    }
    return Effective(settings, origins, tuple(_unknown_variables(environment)))


def _of_file(written: Written, source: str, problems: list[Problem]) -> dict[str, _Given]:
    found = {}
    for name, value in written.values.items():
        line, row = written.lines.get(name, 0), BY_NAME.get(name)
        if row is None:
            near = guess(name, list(BY_NAME))
            message = f"is not a known setting; did you mean {near}?" if near else "is not a known setting"
            problems.append(Problem(name, message, source=source, line=line))  # its value may be a secret
            continue
        values = tuple(value) if row.many and isinstance(value, list) else value
        if value is not None:
            found[row.field] = _Given(values, Origin(Kind.FILE, name, source, line))
    return found


def _of_environment(environment: Mapping[str, str]) -> dict[str, _Given]:
    """Return what variables give; an empty one gives nothing, as one that is not there."""
    found = {}
    for row in SETTINGS:
        text = environment.get(row.variable, "").strip()
        if text:
            value: object = row.parts(text) if row.many else text
            found[row.field] = _Given(value, Origin(Kind.ENVIRONMENT, row.variable))
    return found


def _of_flags(flags: Mapping[str, object]) -> dict[str, _Given]:
    rows = ((BY_NAME[name], value) for name, value in flags.items())
    return {row.field: _Given(value, Origin(Kind.FLAG, row.flag)) for row, value in rows}


def _checked(given: Mapping[str, _Given], problems: list[Problem]) -> ServeSettings | None:
    document = {}
    for field, one in given.items():
        try:
            document[field] = _typed(BY_FIELD[field], one.value)
        except ValueError as error:
            problem = Problem(field, str(error), given=shown(one.value), allowed=BY_FIELD[field].allowed)
            problems.append(_placed((field,), problem, given))
    reading = read(document, ServeSettings, rules)
    problems += [_placed(location, problem, given) for location, problem in reading.problems]
    return reading.value


def _typed(row: Setting, value: object) -> object:
    """Return the value as the model takes it: a duration in seconds, one value of many in a tuple."""
    if row.shape is Shape.DURATION:
        return parse_duration(value)
    return (value,) if row.many and isinstance(value, str) else value


def _placed(location: Location, problem: Problem, given: Mapping[str, _Given]) -> Problem:
    """Return the problem by the name and the place where its value was given; a flag where it was not."""
    field = str(location[0])
    row, one = BY_FIELD[field], given.get(field)
    if one is None:
        return replace(problem, field=row.flag)
    entry = "".join(f"[{part}]" for part in location[1:])
    said = shown(one.value) if row.shape is Shape.DURATION else problem.given
    origin = one.origin
    return replace(problem, field=f"{origin.name}{entry}", given=said, source=origin.file, line=origin.line)


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[Problem]:
    known = {row.variable for row in SETTINGS} | OTHERS
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            near = guess(name.removeprefix(PREFIX), [one.removeprefix(PREFIX) for one in sorted(known)])
            message = f"is no setting; did you mean {PREFIX}{near}?" if near else "is no setting"
            yield Problem(name, message, warning=True)

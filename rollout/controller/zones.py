"""Which time zones there are: asked of the files of the machine, or of the package ``tzdata`` where it has none.

The spec reads only the form of a name. Asked wherever a Rollout is taken in: by the catalog for the controller and the
API, by `rollout lint` for files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from rollout.errors import Problem
from rollout.spec.cron import ZONE_ALLOWED, ZONE_PATTERN
from rollout.spec.resource import Rollout
from rollout.spec.sentences import guess, shown

_FORM = re.compile(ZONE_PATTERN)


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo | None:
    """Return the time zone of this name, None when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None  # OSError: the name of a folder of time zones, such as Europe


def zone_problems(rollout: Rollout) -> Iterator[Problem]:
    """Yield what is wrong with the time zone of failover, where there is one."""
    if rollout.spec.failover is not None:
        yield from unknown_zone(rollout.spec.failover.time_zone)


def zone_problems_in(document: Mapping[str, object]) -> Iterator[Problem]:
    """Yield the same of the manifest of a Rollout or policy as it is written; its form is looked at elsewhere."""
    spec = document.get("spec")
    failover = spec.get("failover") if isinstance(spec, Mapping) else None
    name = failover.get("timeZone") if isinstance(failover, Mapping) else None
    if isinstance(name, str) and _FORM.fullmatch(name):
        yield from unknown_zone(name)


def unknown_zone(name: str, field: str = "spec.failover.timeZone") -> Iterator[Problem]:
    """Yield what is wrong when there is no time zone ``name``, which ``field`` has."""
    if zone_of(name) is not None:
        return
    near = guess(name, sorted(available_timezones()))
    hint = f"; did you mean {near}?" if near else ""
    message = f"is no time zone that is known here{hint}"
    yield Problem(field, message, given=shown(name), allowed=ZONE_ALLOWED)

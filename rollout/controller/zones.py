"""Which time zones there are: asked of the files of the machine, or of the package ``tzdata`` where it has none.

The spec reads only the form of a name. Asked wherever a Rollout is taken in: by the catalog for the controller and the
API, by `rollout lint` for files.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from rollout.errors import Problem
from rollout.spec.cron import ZONE_ALLOWED
from rollout.spec.resource import Rollout
from rollout.spec.sentences import guess, shown


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo | None:
    """Return the time zone of this name, None when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None  # OSError: the name of a folder of time zones, such as Europe


def zone_problems(rollout: Rollout) -> Iterator[Problem]:
    """Yield what is wrong with the time zone of failover, where there is one."""
    failover = rollout.spec.failover
    if failover is None or zone_of(failover.time_zone) is not None:
        return
    near = guess(failover.time_zone, sorted(available_timezones()))
    hint = f"; did you mean {near}?" if near else ""
    message = f"is no time zone that is known here{hint}"
    yield Problem("spec.failover.timeZone", message, given=shown(failover.time_zone), allowed=ZONE_ALLOWED)

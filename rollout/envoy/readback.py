"""Whether Envoy took a route file: what its statistics say about each route configuration.

Envoy tells the version that it serves (``version_text``) and counts what it refused: valid YAML
with bad content (``update_rejected``), and files that do not parse (``update_failure``). The text
of the error is only in its log. ``rollout.envoy.routes`` compares looks from before and after.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rollout.engine.observation import Acceptance
from rollout.envoy.admin import AdminClient, Stats, stat_name

_STAT = re.compile(
    r"^(?P<owner>http\..+\.rds\.(?P<configuration>.+))\.(?P<leaf>version_text|update_rejected|update_failure)$"
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One listener's use of a route configuration: the version it serves, and how many files it refused so far."""

    owner: str
    version: str
    refused: int


Look = Mapping[str, tuple[Subscription, ...]]
"""Route configuration -> the subscriptions to it."""


async def look(admin: AdminClient, configurations: Sequence[str], *, attempts: int = 1) -> Look:
    """Return the subscriptions to these route configurations.

    Raises:
        Unavailable: Envoy cannot be reached.
        SourceTimeout: it did not answer in time.
        PermanentError: it refused the question.
    """
    spelled = {stat_name(name): name for name in configurations}
    names = "|".join(re.escape(name) for name in spelled)
    pattern = rf"^http\..*\.rds\.({names})\.(version_text|update_rejected|update_failure)$"
    return _subscriptions(await admin.stats(pattern, attempts=attempts), spelled)


def _subscriptions(stats: Stats, spelled: Mapping[str, str]) -> Look:
    """Group the statistics by route configuration and listener."""
    owners: dict[str, str] = {}
    for name in (*stats.texts, *stats.numbers):
        for stat, configuration in spelled.items():
            match = _STAT.match(name)
            if match and match["owner"].endswith(f".rds.{stat}"):
                owners[match["owner"]] = configuration
    found: dict[str, list[Subscription]] = {}
    for owner, configuration in sorted(owners.items()):
        refused = stats.numbers.get(f"{owner}.update_rejected", 0) + stats.numbers.get(f"{owner}.update_failure", 0)
        subscription = Subscription(owner, stats.texts.get(f"{owner}.version_text", ""), refused)
        found.setdefault(configuration, []).append(subscription)
    return {configuration: tuple(subscriptions) for configuration, subscriptions in found.items()}


def verdict(configurations: Iterable[str], version: str, *, before: Look | None, now: Look) -> tuple[Acceptance, str]:
    """Return whether every listener serves ``version``, with one sentence where not.

    A refusal is a counter that grew since ``before`` (since its own start, if Envoy restarted in
    between) while another version is served. Without ``before`` any refusal counts.
    """
    answers = [_one(name, version, before=before, now=now) for name in configurations]
    refused = [message for acceptance, message in answers if acceptance is Acceptance.REFUSED]
    pending = [message for acceptance, message in answers if acceptance is Acceptance.PENDING]
    if refused:
        return Acceptance.REFUSED, refused[0]
    return (Acceptance.PENDING, pending[0]) if pending else (Acceptance.ACCEPTED, "")


def _one(name: str, version: str, *, before: Look | None, now: Look) -> tuple[Acceptance, str]:
    """Return the verdict on one route configuration."""
    subscriptions = now.get(name, ())
    if not subscriptions:
        return Acceptance.PENDING, f"no listener of Envoy uses the route configuration {name} yet"
    stale = [one for one in subscriptions if one.version != version]
    for one in stale:
        count = one.refused - _refused_before(one, name, before)
        if count > 0:
            message = (
                f"Envoy refused version {version} of the route configuration {name} ({one.owner} counts {count} more "
                f"refused) and goes on with version {one.version or 'none'}; its log says why"
            )
            return Acceptance.REFUSED, message
    if stale:
        message = (
            f"Envoy serves version {stale[0].version or 'none'} of the route configuration {name}, not yet {version}; "
            "it takes files that are renamed into place, no others"
        )
        return Acceptance.PENDING, message
    return Acceptance.ACCEPTED, ""


def _refused_before(one: Subscription, name: str, before: Look | None) -> int:
    """Return what the counter stood at before; 0 after a restart of Envoy, which starts its counters anew."""
    known = {old.owner: old.refused for old in (before or {}).get(name, ())}
    count = known.get(one.owner, 0)
    return count if count <= one.refused else 0

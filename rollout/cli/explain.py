"""`rollout explain`: shows on paper what a rule of the controller comes to; asks no server.

Registered as a group by ``rollout.cli.main``. The formula itself is ``rollout.failover.shares``'s.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rollout.failover.shares import Tier

MOST_TIERS = 9
"""Tier 0 and the eight backups that a Rollout may have."""

MOST_TARGETS = 1_000_000
FACTOR = (100, 1000)
"""The overprovisioning factors that ``spec.failover`` takes."""

_TIER = re.compile(r"([0-9]{1,7})(?:\+([0-9]{1,7}))?/([0-9]{1,7})")

app = typer.Typer(
    help="What a rule of the controller comes to, without a server.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Output(StrEnum):
    """How the shares are written."""

    TABLE = "table"
    JSON = "json"


@app.callback()
def explain() -> None:
    """Show what a rule of the controller comes to, without a server."""


@app.command()
def spill(
    *,
    tier: Annotated[
        list[str],
        typer.Option(
            metavar="HEALTHY/TOTAL",
            help="Healthy targets of a tier out of all, such as 2/3; 1+2/4 has two degraded ones. Tier 0 first.",
            show_default=False,
        ),
    ],
    overprovisioning: Annotated[
        str, typer.Option(metavar="PERCENT", help="Overprovisioning factor, 100 to 1000.")
    ] = "140",
    output: Annotated[
        Output, typer.Option("--output", "-o", help="A table, or one JSON object with the shares in order.")
    ] = Output.TABLE,
) -> None:
    """Show how the strategy Spill shares traffic among tiers, by Envoy's priority formula, in percent."""
    from rollout.failover.shares import spill as shares_of

    if len(tier) > MOST_TIERS:
        raise _refused("--tier", f"{len(tier)} tiers", f"1 to {MOST_TIERS} tiers")
    tiers = [_tier(text) for text in tier]
    shares = shares_of(tiers, _factor(overprovisioning))
    typer.echo(json.dumps({"shares": shares}) if output is Output.JSON else _table(tier, shares))


def _tier(text: str) -> Tier:
    """Return what ``text`` says.

    Raises:
        typer.BadParameter: it says nothing, or more targets are well than there are.
    """
    from rollout.failover.shares import Tier

    found = _TIER.fullmatch(text)
    if found is None:
        raise _refused("--tier", repr(text), "HEALTHY/TOTAL in whole numbers, such as 2/3")
    healthy, degraded, total = int(found[1]), int(found[2] or 0), int(found[3])
    if healthy + degraded > total or total > MOST_TARGETS:
        raise _refused("--tier", repr(text), f"at most as many healthy targets as there are, of at most {MOST_TARGETS}")
    return Tier(healthy, total, degraded)


def _factor(text: str) -> int:
    least, most = FACTOR
    if not re.fullmatch(r"[0-9]{1,4}", text) or not least <= int(text) <= most:
        raise _refused("--overprovisioning", repr(text), f"a whole number from {least} to {most}")
    return int(text)


def _refused(flag: str, given: str, allowed: str) -> typer.BadParameter:
    from rollout.spec.fields import printable

    return typer.BadParameter(f"{printable(given[:64])} (allowed: {allowed})", param_hint=flag)


def _table(tiers: list[str], shares: tuple[int, ...]) -> str:
    from rollout.cli.tables import Column, lines

    rows = [[str(place), text, f"{share} %"] for place, (text, share) in enumerate(zip(tiers, shares, strict=True))]
    return "\n".join(lines((Column("TIER"), Column("HEALTHY"), Column("SHARE")), rows))

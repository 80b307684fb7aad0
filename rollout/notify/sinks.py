"""The sinks as the operator names them: one file, checked whole when the service starts.

The file is YAML: ``link`` and ``sinks``, a list. Secrets stand in files of their own (``urlFile``, ``tokenFile``,
``secretFile``), which are read anew for each message, or in this file, which then is a secret itself. It knows no
network; who sends is ``rollout.notify.senders``.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema, WrapValidator

from rollout.notify.templates import refuse_unknown
from rollout.spec.base import Model, Name
from rollout.spec.cron import Cron, TimeZone
from rollout.spec.lifecycle import Reason
from rollout.spec.quantities import Duration, Flag, PositiveDuration

MOST_SINKS = 32
MOST_SECONDS = 60.0
URL_ALLOWED = "an http:// or https:// URL (kind Apprise: one of apprise's), at most 2048 characters; it is a secret"
FILE_ALLOWED = "a path, seen from the folder of this file"


FILES = ("url_file", "token_file", "secret_file", "ca_file")
"""Fields of a sink that name files."""


class SinkKind(StrEnum):
    """What a sink is, and with that the shape of its messages."""

    SLACK = "Slack"
    SLACK_BOT = "SlackBot"
    MATTERMOST = "Mattermost"
    DISCORD = "Discord"
    TEAMS = "Teams"
    CLOUD_EVENTS = "CloudEvents"
    APPRISE = "Apprise"


Template = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2000,
        json_schema_extra={"allowed": "text of at most 2000 characters with placeholders such as {{ rollout.name }}"},
    ),
    AfterValidator(refuse_unknown),
]
"""Text with placeholders, as in ``rollout.notify.templates``."""

Url = Annotated[SecretStr, Field(max_length=2048, json_schema_extra={"allowed": URL_ALLOWED})]
Timeout = Annotated[
    PositiveDuration,
    Field(le=MOST_SECONDS),
    WithJsonSchema(
        {
            "type": "string",
            "unit": "seconds",
            "default": 5.0,
            "allowed": "a duration above 0 and at most 60s, such as 5s",
        }
    ),
]
Gather = Annotated[
    Duration,
    Field(le=MOST_SECONDS),
    WithJsonSchema(
        {"type": "string", "unit": "seconds", "default": 0.1, "allowed": "a duration of at most 60s, such as 500ms"}
    ),
]
FilePath = Annotated[Path, WithJsonSchema({"type": "string", "allowed": FILE_ALLOWED})]


class Templates(Model):
    """What a message says instead of the built-in words."""

    title: Template | None = None
    """Who and what, in one line."""
    text: Template | None = None
    """Why."""


class QuietHours(Model):
    """When people are left alone: what happens then is told at the end of it, together."""

    during: Annotated[tuple[Cron, ...], Field(min_length=1, max_length=16)]
    """Cron expressions; each minute at which one is true is quiet, such as ``* 22-23 * * *``."""
    time_zone: TimeZone = "UTC"
    """The time zone in which they are meant."""
    besides: Annotated[tuple[Reason, ...], Field(alias="except", max_length=40)] = ()
    """Reasons (or phases) that are told at any hour."""


class Digest(Model):
    """When several notices become one message with a list."""

    least: Annotated[int, Field(ge=2, le=1000)] = 5
    """From so many Rollouts that wait at the same time on."""
    gather: Gather = 0.1
    """How long the first one waits for others."""


if TYPE_CHECKING:
    DigestWish = Digest | Literal[False] | None
else:  # a union would put the names of its members into the places of problems
    DigestWish = Annotated[Digest | None, WrapValidator(lambda value, read: False if value is False else read(value))]


class Sink(Model):
    """One sink."""

    name: Name
    """How Rollouts call it."""
    kind: SinkKind
    """What it is."""
    url: Url | None = None
    """Where messages go; a secret."""
    url_file: FilePath | None = None
    """File with the URL, read for each message."""
    token_file: FilePath | None = None
    """File with the bot token of kind SlackBot."""
    channel: Annotated[str, Field(max_length=128)] = ""
    """Channel of kind SlackBot."""
    secret_file: FilePath | None = None
    """File with the signing secret (``whsec_...``) of kind CloudEvents."""
    ca_file: FilePath | None = None
    """File (PEM) with authorities that the sink's certificate is checked against, instead of the system's."""
    every: Flag = False
    """Whether it is told of all Rollouts, and not only of those that name it."""
    on: Annotated[tuple[Reason, ...], Field(max_length=40)] = ()
    """Reasons (or phases) that it is told of; none: all."""
    namespaces: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    """Namespaces that it is told of, ``*`` standing for any characters; none: all."""
    labels: Annotated[dict[str, str], Field(default_factory=dict, max_length=16)]
    """Labels that a Rollout must have, with these values."""
    quiet: QuietHours | None = None
    """When it is left alone."""
    digest: DigestWish = None
    """When notices are told together; ``false``: never. Default: from 5 Rollouts on, never for kind CloudEvents."""
    templates: Templates = Templates()
    """What messages say."""
    timeout: Timeout = 5.0
    """How long the sink may take for a message."""


class Sinks(Model):
    """The file of sinks."""

    link: Template | None = None
    """Where a message leads, with the placeholders of templates; no link without it."""
    sinks: Annotated[tuple[Sink, ...], Field(max_length=MOST_SINKS)] = ()
    """The sinks, each with a name of its own."""

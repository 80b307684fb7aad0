"""Makes the sender of a sink, once, when the service starts; called where the service is put together."""

from __future__ import annotations

from functools import partial
from typing import assert_never

from pydantic import SecretStr

from rollout.aside import Aside
from rollout.notify import shapes
from rollout.notify.senders import words
from rollout.notify.senders.beyond import AppriseSender
from rollout.notify.senders.door import Door
from rollout.notify.senders.secret_files import Secret
from rollout.notify.senders.signing import Signing
from rollout.notify.senders.slack_bot import API, SlackBotSender
from rollout.notify.senders.webhook import Parts, Style, WebhookSender, confirmed
from rollout.notify.sending import Sender
from rollout.notify.shapes import cloud_events
from rollout.notify.sinks import Sink, SinkKind
from rollout.ports import Clock

_STYLES = {
    SinkKind.SLACK: Style(reading=words.slack_hook),
    SinkKind.MATTERMOST: Style(reading=words.mattermost),
    SinkKind.DISCORD: Style(reading=words.discord, address=confirmed),
    SinkKind.TEAMS: Style(),
}
_EVENTS = Style(reading=words.receiver, media_type=f"{cloud_events.CONTENT_TYPE}; charset=utf-8")


def make_sender(sink: Sink, *, clock: Clock, trust_env: bool = False) -> Sender:
    """Return the sender of ``sink``; it connects with its first message, which needs a running event loop.

    ``trust_env``: whether proxies of the environment are used (Apprise uses them in any case).

    Raises:
        ConfigurationError: it is of kind Apprise, which is not installed.
    """
    owner = f"sink {sink.name}"
    aside = Aside(owner)
    parts = Parts(
        owner=owner,
        door=Door(owner, aside, seconds=sink.timeout, ca_file=sink.ca_file, trust_env=trust_env),
        address=_address(sink, owner, aside),
        clock=clock,
    )
    shape = partial(shapes.body, sink.kind)
    match sink.kind:
        case SinkKind.APPRISE:
            return AppriseSender(owner, aside, parts.address, shape, seconds=sink.timeout)
        case SinkKind.SLACK_BOT:
            token = Secret(owner, "token", aside, file=sink.token_file)
            return SlackBotSender(parts, token=token, channel=sink.channel)
        case SinkKind.SLACK | SinkKind.MATTERMOST | SinkKind.DISCORD | SinkKind.TEAMS:
            return WebhookSender(parts, shape, _STYLES[sink.kind])
        case SinkKind.CLOUD_EVENTS:
            return WebhookSender(parts, shape, _EVENTS, signing=_signing(sink, owner, aside))
        case _:
            assert_never(sink.kind)


def _address(sink: Sink, owner: str, aside: Aside) -> Secret:
    usual = SecretStr(API) if sink.kind is SinkKind.SLACK_BOT else None
    return Secret(owner, "URL", aside, file=sink.url_file, value=sink.url or usual)


def _signing(sink: Sink, owner: str, aside: Aside) -> Signing:
    file = sink.secret_file
    return Signing(owner, None if file is None else Secret(owner, "signing secret", aside, file=file))

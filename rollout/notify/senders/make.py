"""Makes the sender of a sink, once, when the service starts; called where the service is put together."""

from __future__ import annotations

from functools import partial
from typing import assert_never

from pydantic import SecretStr

from rollout.notify import shapes
from rollout.notify.senders import words
from rollout.notify.senders.beyond import AppriseSender
from rollout.notify.senders.door import Door
from rollout.notify.senders.secret_files import Secret
from rollout.notify.senders.signing import Signing
from rollout.notify.senders.slack_bot import API, SlackBotSender
from rollout.notify.senders.trust import Trust
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
    SinkKind.CLOUD_EVENTS: Style(reading=words.receiver, media_type=f"{cloud_events.CONTENT_TYPE}; charset=utf-8"),
}


def make_sender(sink: Sink, *, clock: Clock, trust_env: bool = False) -> Sender:
    """Return the sender of ``sink``; it connects with its first message, which needs a running event loop.

    ``trust_env``: whether proxies of the environment are used (Apprise uses them in any case).

    Raises:
        ConfigurationError: it is of kind Apprise, which is not installed.
    """
    owner = f"sink {sink.name}"
    match sink.kind:
        case SinkKind.APPRISE:
            return AppriseSender(owner, _address(sink, owner), partial(shapes.body, sink.kind), seconds=sink.timeout)
        case SinkKind.SLACK_BOT:
            token = Secret(owner, "token", file=sink.token_file)
            return SlackBotSender(_parts(sink, owner, clock, trust_env=trust_env), token=token, channel=sink.channel)
        case SinkKind.SLACK | SinkKind.MATTERMOST | SinkKind.DISCORD | SinkKind.TEAMS | SinkKind.CLOUD_EVENTS:
            return WebhookSender(
                _parts(sink, owner, clock, trust_env=trust_env),
                partial(shapes.body, sink.kind),
                _STYLES[sink.kind],
                signing=_signing(sink, owner),
            )
        case _:
            assert_never(sink.kind)


def _parts(sink: Sink, owner: str, clock: Clock, *, trust_env: bool) -> Parts:
    door = Door(owner, Trust(owner, sink.ca_file), seconds=sink.timeout, trust_env=trust_env)
    return Parts(owner=owner, door=door, address=_address(sink, owner), clock=clock)


def _address(sink: Sink, owner: str) -> Secret:
    usual = SecretStr(API) if sink.kind is SinkKind.SLACK_BOT else None
    return Secret(owner, "URL", file=sink.url_file, value=sink.url or usual)


def _signing(sink: Sink, owner: str) -> Signing | None:
    if sink.kind is not SinkKind.CLOUD_EVENTS:
        return None
    secret = Secret(owner, "signing secret", file=sink.secret_file) if sink.secret_file is not None else None
    return Signing(owner, secret)

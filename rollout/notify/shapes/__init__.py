"""Shapes: from a message to the body that each kind of sink takes, as a value that JSON can hold.

A body is valid by what the sink documents (lengths and counts too), whatever the texts are, and nothing in them becomes
a mention or a link there, nor, where it is known what the sink takes for it, markup. No shape knows a URL, a token or a
network; ``rollout.notify.senders`` send bodies.
"""

from __future__ import annotations

from typing import assert_never

from rollout.notify.message import Message
from rollout.notify.shapes import apprise, cloud_events, discord, mattermost, slack, teams
from rollout.notify.shapes.parts import Body
from rollout.notify.sinks import SinkKind


def body(kind: SinkKind, message: Message) -> Body:
    """Return what a sink of this kind is sent for the message.

    A transition or a digest without notices has the plainest form that the kind has. Kind SlackBot gets what Slack
    gets; ``rollout.notify.shapes.slack`` has its calls. Kind Apprise gets ``title`` and ``body``, both plain text.
    """
    match kind:
        case SinkKind.SLACK | SinkKind.SLACK_BOT:
            return slack.body(message)
        case SinkKind.MATTERMOST:
            return mattermost.body(message)
        case SinkKind.DISCORD:
            return discord.body(message)
        case SinkKind.TEAMS:
            return teams.body(message)
        case SinkKind.CLOUD_EVENTS:
            return cloud_events.body(message)
        case SinkKind.APPRISE:
            return apprise.body(message)
        case _ as never:
            assert_never(never)

"""The shape for machines: a CloudEvent in JSON, structured mode, with all that a notice has.

``id`` is that of the message, so of a transition its notice's: the same whenever it is sent again. ``time`` is when the
transition was, never when it is sent; a message that no time belongs to has none. Documented:

- attributes: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
- structured mode: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
- ``sequence`` sorts as text: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/sequence.md
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import assert_never, cast
from urllib.parse import quote

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from rollout.notify.message import Kind, Message, Notice
from rollout.notify.shapes.parts import Body
from rollout.notify.texts import one_line, rfc3339
from rollout.ports import Key

TYPES = {
    Kind.TRANSITION: "dev.rollout.transition",
    Kind.DIGEST: "dev.rollout.digest",
    Kind.EARLIER: "dev.rollout.earlier",
    Kind.TRIAL: "dev.rollout.trial",
}

CONTENT_TYPE = JSONFormat.CONTENT_TYPE
"""Of a request that has such a body."""

_NO_TIME = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def body(message: Message) -> Body:
    """Return the event."""
    attributes: Body = {
        "id": message.id,
        "source": _source(message.key),
        "type": TYPES[message.kind],
        "time": _NO_TIME,
        "datacontenttype": "application/json",
    }
    if message.key:
        attributes["subject"] = one_line(str(message.key))
    if message.notices:
        last = max(notice.at for notice in message.notices)
        attributes["time"] = datetime.fromisoformat(rfc3339(last))
    if message.kind is Kind.TRANSITION and message.notices:
        attributes["sequence"] = f"{message.notices[0].number:010}"
    event = cast("Body", json.loads(JSONFormat().write(CloudEvent(attributes, _data(message)))))
    if not message.notices:
        del event["time"]  # the library would tell the time of sending, another one at each try
    return event


def _source(key: Key | None) -> str:
    if key is None:
        return "/rollouts"
    return f"/rollouts/{quote(one_line(key.namespace), safe='')}/{quote(one_line(key.name), safe='')}"


def _data(message: Message) -> Body:
    said: Body = {"title": message.title, "text": message.text, "level": message.level}
    match message.kind:
        case Kind.TRANSITION if message.notices:
            return {**said, **_told(message.notices[0])}
        case Kind.TRANSITION | Kind.TRIAL:
            return said
        case Kind.DIGEST | Kind.EARLIER:
            return {**said, "notices": [_told(notice) for notice in message.notices], "more": message.more}
        case _ as never:
            assert_never(never)


def _told(notice: Notice) -> Body:
    failover = {"phase": notice.stage, "active": notice.active, "epoch": notice.epoch} if notice.stage else None
    return {
        "id": notice.id,
        "namespace": one_line(notice.key.namespace),
        "name": one_line(notice.key.name),
        "number": notice.number,
        "at": rfc3339(notice.at),
        "reason": notice.reason,
        "message": notice.message,
        "level": notice.level,
        "phase": notice.phase,
        "attempt": notice.attempt,
        "step": notice.step,
        "steps": notice.steps,
        "revision": notice.revision,
        "weights": dict(notice.weights) if notice.weights is not None else None,
        "failover": failover,
        "link": notice.link,
    }

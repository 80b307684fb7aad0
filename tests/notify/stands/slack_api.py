"""Slack's Web API, as far as a bot needs it that posts, answers in threads and updates what it posted."""

from collections.abc import Mapping

from aiohttp import web

from tests.notify.slack_rules import POST, UPDATE, refusals
from tests.notify.stands.server import Json, Received, Stand, says

TOKEN = "xoxb-110000000000-s3cr3t-b0t-t0k3n"
CHANNELS: Mapping[str, str] = {"#deploys": "C0DEPLOYS", "C0DEPLOYS": "C0DEPLOYS", "#other": "C0OTHER"}

METHODS = {"chat.postMessage": POST, "chat.update": UPDATE}


class SlackApi(Stand):
    """Answers at ``/api/chat.postMessage`` and ``/api/chat.update``; ``posts`` are the messages by ``channel:ts``.

    ``problems`` are what it found wrong with bodies. ``limited`` calls are refused with 429 and Retry-After before
    others are taken.
    """

    path = "/api"

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[str, Json] = {}
        self.channels = dict(CHANNELS)
        self.problems: list[str] = []
        self.limited: dict[str, int] = {}

    def judge(self, received: Received) -> web.Response:
        """Return what Slack would: 200 with ``ok`` in the body, or 429."""
        method = received.path.removeprefix(f"{self.path}/")
        if self.limited.get(method, 0) > 0:
            self.limited[method] -= 1
            return says({"ok": False, "error": "ratelimited"}, 429, Retry_After="7")
        body = received.json
        problem = _unauthorized(received) or self._refusal(method, body)
        if problem:
            return says({"ok": False, "error": problem})
        return says(self._post(body) if method == "chat.postMessage" else self._update(body))

    def is_taken(self, received: Received, answer: web.Response) -> bool:
        """Return whether there is a new message or a new state of one."""
        return isinstance(answer.body, bytes) and b'"ok": true' in answer.body

    @property
    def calls(self) -> list[str]:
        """Return the methods that were called, in order."""
        return [one.path.removeprefix(f"{self.path}/") for one in self.received]

    def _refusal(self, method: str, body: Json) -> str:
        channel = self.channels.get(str(body.get("channel")))
        thread = body.get("thread_ts")
        if method not in METHODS:
            return "unknown_method"
        if channel is None:
            return "channel_not_found"
        if not any(body.get(field) for field in ("text", "blocks", "attachments")):
            return "no_text"
        if len(str(body.get("text", ""))) > 40_000:
            return "msg_too_long"
        if self._wrong(method, body):
            return "invalid_blocks"
        if thread is not None and f"{channel}:{thread}" not in self.posts:
            return "thread_not_found"
        gone = method == "chat.update" and f"{channel}:{body.get('ts')}" not in self.posts
        return "message_not_found" if gone else ""

    def _wrong(self, method: str, body: Json) -> list[str]:
        """Return what is wrong with a message; its metadata is an object with the two fields that Slack documents."""
        metadata = body.get("metadata", {"event_type": "", "event_payload": {}})
        said = {name: value for name, value in body.items() if name != "metadata"}
        wrong = refusals(said, call=METHODS[method])
        if not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}:
            wrong.append("metadata")
        self.problems += wrong
        return wrong

    def _post(self, body: Json) -> Json:
        channel, ts = self.channels[str(body["channel"])], f"1700000000.{len(self.posts) + 1:06}"
        self.posts[f"{channel}:{ts}"] = body
        return {"ok": True, "channel": channel, "ts": ts, "message": body}

    def _update(self, body: Json) -> Json:
        name = f"{self.channels[str(body['channel'])]}:{body['ts']}"
        self.posts[name] = {**self.posts[name], **body}
        return {"ok": True, "channel": body["channel"], "ts": body["ts"], "message": self.posts[name]}


def _unauthorized(received: Received) -> str:
    given = received.headers.get("Authorization", "")
    if not given:
        return "not_authed"
    return "" if given == f"Bearer {TOKEN}" else "invalid_auth"

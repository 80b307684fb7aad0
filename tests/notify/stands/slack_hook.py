"""A Slack incoming webhook: the key is its path, and blocks are checked as Slack documents them."""

from aiohttp import web

from tests.notify.slack_rules import refusals
from tests.notify.stands.server import Received, Stand, says

KEY = "XXsl4ckw3bh00kk3yXX"


class SlackHook(Stand):
    """Answers at ``/services/T…/B…/KEY`` with one word; ``problems`` are what it found wrong."""

    path = f"/services/T00000000/B00000000/{KEY}"

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []

    def judge(self, received: Received) -> web.Response:
        """Return ok, or what Slack says instead."""
        if received.path != self.path:
            return says("no_service", 404)
        body = received.json
        if not body:
            return says("invalid_payload", 400)
        if not any(body.get(field) for field in ("text", "blocks", "attachments")):
            return says("no_text", 400)
        wrong = refusals(body)
        self.problems += wrong
        return says("invalid_blocks", 400) if wrong else says("ok")

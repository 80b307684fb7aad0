"""A Discord webhook: its limits, its codes, its bucket of requests."""

from aiohttp import web

from tests.notify.stands.server import Json, Received, Stand, says

ID, TOKEN = "1100000000000000001", "d1sc0rd-T0K3N-of-the-webhook"


class Discord(Stand):
    """Answers at ``/api/webhooks/ID/TOKEN``."""

    path = f"/api/webhooks/{ID}/{TOKEN}"

    def judge(self, received: Received) -> web.Response:
        """Return 204, with ``wait=true`` the message, else 400, 401 or 404 with Discord's code."""
        *_, one, token = received.path.split("/")
        if one != ID:
            return says({"message": "Unknown Webhook", "code": 10015}, 404)
        if token != TOKEN:
            return says({"message": "Invalid Webhook Token", "code": 50027}, 401)
        body = received.json
        if not (body.get("content") or body.get("embeds")):
            return says({"message": "Cannot send an empty message", "code": 50006}, 400)
        if _too_much(body):
            return says({"message": "Invalid Form Body", "code": 50035, "errors": {}}, 400)
        if received.query.get("wait") == "true":
            return says({"id": str(1200000000000000000 + len(self.taken)), **body})
        return web.Response(status=204)


def _too_much(body: Json) -> bool:
    embeds = body.get("embeds", [])
    assert isinstance(embeds, list)
    lengths = [
        (str(embed.get("title", "")), 256, str(embed.get("description", "")), 4096, str(embed.get("footer", "")), 2048)
        for embed in embeds
    ]
    far = any(len(a) > x or len(b) > y or len(c) > z for a, x, b, y, c, z in lengths)
    total = sum(len(a) + len(b) + len(c) for a, _, b, _, c, _ in lengths)
    return far or total > 6000 or len(embeds) > 10 or len(str(body.get("content", ""))) > 2000

"""A webhook of the Workflows app of Teams: signed address, one Adaptive Card, at most 28 KB."""

from aiohttp import web

from tests.notify.stands.server import Received, Stand, says

SIGNATURE = "s1gn4tur3-0f-the-w0rkfl0w"
MOST_BYTES = 28 * 1024
CARD = "application/vnd.microsoft.card.adaptive"


class Teams(Stand):
    """Answers at ``/workflows/…/invoke?sig=…``."""

    path = f"/workflows/9f3a/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers&sv=1.0&sig={SIGNATURE}"

    def judge(self, received: Received) -> web.Response:
        """Return 202, or 401, 413 or 400."""
        if received.query.get("sig") != SIGNATURE or received.query.get("sp") != "/triggers":
            return says({"error": {"code": "DirectApiAuthorizationRequired", "message": "no sig"}}, 401)
        if len(received.body) > MOST_BYTES:
            return says({"error": {"code": "RequestEntityTooLarge"}}, 413)
        return web.Response(status=202) if _is_card(received) else says({"error": {"code": "TriggerInputInvalid"}}, 400)


def _is_card(received: Received) -> bool:
    attachments = received.json.get("attachments")
    if received.json.get("type") != "message" or not isinstance(attachments, list) or len(attachments) != 1:
        return False
    card = attachments[0].get("content", {})
    return attachments[0].get("contentType") == CARD and card.get("type") == "AdaptiveCard" and bool(card.get("body"))

"""A Mattermost incoming webhook, which repeats the secret id of the hook in its errors."""

from aiohttp import web

from tests.notify.stands.server import Received, Stand, says

HOOK = "k8hrsecrethookid9m4tt3rm0s"
MOST_PROPS = 800_000


class Mattermost(Stand):
    """Answers at ``/hooks/ID``."""

    path = f"/hooks/{HOOK}"

    def judge(self, received: Received) -> web.Response:
        """Return ok, or 400 with the id of an error of Mattermost's."""
        hook = received.path.rsplit("/", 1)[-1]
        body = received.json
        if hook != HOOK:
            return _error("invalid", hook)
        if not received.headers.get("Content-Type", "").startswith("application/json") or not body:
            return _error("decode", hook)
        if not (body.get("text") or body.get("attachments")):
            return _error("text", hook)
        if len(received.body) > MOST_PROPS:
            return _error("split_props_length", hook)
        return says("ok")


def _error(name: str, hook: str) -> web.Response:
    message = f"Failed to handle the payload for incoming webhook {hook}."
    return says({"id": f"web.incoming_webhook.{name}.app_error", "message": message, "status_code": 400}, 400)

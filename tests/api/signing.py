"""How a program signs what it sends to a start hook, as Standard Webhooks has it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from standardwebhooks import Webhook

from rollout.settings.hooks import StartHook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def start_hook(folder: Path, secret: str = SECRET, **fields: object) -> StartHook:
    """Return a hook of `shop` whose secret is in this folder."""
    file = folder / "hook.secret"
    file.write_text(f"{secret}\n", encoding="utf-8")
    return StartHook.model_validate({"name": "ci", "secretFile": str(file), "namespaces": ["shop"], **fields})


def body_of(**fields: object) -> bytes:
    """Return the body of a start of revision 2 of `shop/web`; fields lay over it, None takes one away."""
    whole = {"namespace": "shop", "rollout": "web", "revision": "2", **fields}
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


def headers_of(
    body: bytes,
    *,
    id: str = "msg_1",  # noqa: A002 - as a call has it
    secret: str = SECRET,
    age: float = 0.0,
) -> Mapping[str, str]:
    """Return the headers of a call that was signed `age` seconds ago."""
    at = datetime.now(UTC) - timedelta(seconds=age)
    return {
        "Content-Type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, at, body.decode()),
    }

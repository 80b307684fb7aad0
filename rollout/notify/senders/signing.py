"""Signs events after Standard Webhooks, so that a receiver knows who sent them, and that they are new.

Called by the webhook sender of kind CloudEvents. The file of the secret may have several lines, each a secret: all of
them sign, so that a secret is rotated without a message that is refused.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from standardwebhooks import Webhook

from rollout.errors import PermanentError
from rollout.notify.senders.secret_files import Secret

MOST_SECRETS = 4
SECRET_BYTES = range(24, 65)
"""How long a secret is, once decoded, by the standard."""

_PREFIX = "whsec_"


class Signing:
    """The signatures of one sink."""

    def __init__(self, owner: str, secret: Secret | None) -> None:
        """Belong to ``owner``; without ``secret`` only id and time are told, and nothing is signed."""
        self._owner = owner
        self._secret = secret

    async def headers(self, message_id: str, body: bytes, *, now: float) -> dict[str, str]:
        """Return the headers that go with ``body``, sent at ``now`` (Unix seconds).

        Raises:
            PermanentError: the secret cannot be read, or is none.
        """
        found = {"webhook-id": message_id, "webhook-timestamp": str(int(now))}
        if self._secret is not None:
            at = datetime.fromtimestamp(int(now), tz=UTC)
            keys = self._keys(await self._secret.read())
            signed = (Webhook(key).sign(msg_id=message_id, timestamp=at, data=body.decode()) for key in keys)
            found["webhook-signature"] = " ".join(signed)
        return found

    def _keys(self, text: str) -> list[bytes]:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        keys = [_key(line) for line in lines[:MOST_SECRETS]]
        if len(lines) > MOST_SECRETS:
            raise PermanentError(f"{self._owner} has more than {MOST_SECRETS} signing secrets")
        if any(len(key) not in SECRET_BYTES for key in keys):
            raise PermanentError(
                f"{self._owner} has a signing secret that is not {_PREFIX} with {SECRET_BYTES.start} to "
                f"{SECRET_BYTES.stop - 1} bytes in base64"
            )
        return keys


def _key(line: str) -> bytes:
    """Return the bytes of a secret, none when it is not base64."""
    text = line.removeprefix(_PREFIX)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""

"""Signs events after Standard Webhooks, so that a receiver knows who sent them, and that they are new.

Called by the webhook sender of kind CloudEvents. The file of the secret may have several lines, each a secret: all of
them sign, so that a secret is rotated without a message that is refused.
"""

from __future__ import annotations

from rollout.errors import PermanentError, Unavailable
from rollout.notify.senders.secret_files import Secret
from rollout.webhooks import secrets_in, signed


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
        text = await self._secret.read() if self._secret is not None else ""
        try:
            return signed(secrets_in(text) if self._secret is not None else (), message_id, body, at=now)
        except Unavailable as error:
            raise PermanentError(f"{self._owner} cannot sign: {error}") from error

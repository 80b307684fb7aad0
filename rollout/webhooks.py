"""Signed calls after Standard Webhooks: secrets from files, signatures of what goes out, checks of what comes in.

Called by gates, sinks of events and the API's start hooks, with ``standardwebhooks`` underneath. A secret is read when
it is used, so that a changed file is taken at once; no sentence here has any of it, nor the file's path, which is for
the log.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes

from standardwebhooks import Webhook, WebhookVerificationError

from rollout.errors import NotAllowedError, Unavailable

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
MOST_SECRETS = 4
"""So many secrets may stand in one file, one a line, the newest first: while one takes the place of another."""

MOST_BYTES = 4096
SHORTEST_KEY, LONGEST_KEY = 24, 64
"""Bytes of a key, as Standard Webhooks asks for."""

AHEAD_SECONDS = 30.0
"""So far the clock of a caller may be ahead; the library alone would let five minutes pass."""

_PREFIX = "whsec_"


def read_secrets(file: Path) -> tuple[Webhook, ...]:
    """Return the secrets of a file, as ``secrets_in`` reads them.

    Raises:
        Unavailable: the file cannot be read, or has no secret in it that can be used.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(MOST_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable("the file of the signing secret cannot be read") from error
    return secrets_in(text)


def secrets_in(text: str) -> tuple[Webhook, ...]:
    """Return the secrets in a text, one a line, ``whsec_`` and the key in base64.

    Raises:
        Unavailable: there is none that can be used, or there are too many.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(text) > MOST_BYTES or not 0 < len(lines) <= MOST_SECRETS:
        raise Unavailable(f"the file of the signing secret must have 1 to {MOST_SECRETS} lines")
    return tuple(map(_webhook, lines))


def _webhook(line: str) -> Webhook:
    text = line.removeprefix(_PREFIX)  # as the libraries of the standard: with it or without, padded or not
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        told = f"the signing secret must be {_PREFIX} and base64 of {SHORTEST_KEY} to {LONGEST_KEY} bytes"
        raise Unavailable(told)
    return Webhook(key)


def nobodys_secrets() -> tuple[Webhook, ...]:
    """Return as many secrets as one file may have, which nobody has, for a check that must fail as any other does."""
    return tuple(Webhook(token_bytes(SHORTEST_KEY)) for _ in range(MOST_SECRETS))


def signed(secrets: Iterable[Webhook], message_id: str, body: bytes, *, at: float) -> dict[str, str]:
    """Return the headers of a call at this time (Unix seconds); by each secret one signature, by none no signature."""
    moment = datetime.fromtimestamp(int(at), UTC)
    signatures = [secret.sign(message_id, moment, body.decode()) for secret in secrets]
    headers = {ID: message_id, TIMESTAMP: str(int(at))}
    return {**headers, SIGNATURE: " ".join(signatures)} if signatures else headers


def verify(secrets: Iterable[Webhook], headers: Mapping[str, str], body: bytes, *, now: float) -> None:
    """Return when the call is signed by one of the secrets, at most five minutes ago, and not ahead of ``now``.

    So a signature is good for five and a half minutes at most: clocks differ by seconds.

    Raises:
        NotAllowedError: it is not; which of them is not told.
    """
    good = [secret for secret in secrets if _is_signed(secret, headers, body)]  # with each, also after a good one
    if not good or float(headers[TIMESTAMP]) - now > AHEAD_SECONDS:
        raise NotAllowedError("the signature is not right, or its time is not")


def _is_signed(secret: Webhook, headers: Mapping[str, str], body: bytes) -> bool:
    try:
        secret.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # also a signature that is none, and a body that is no text
        return False
    return True

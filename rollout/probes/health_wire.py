"""The two messages of the gRPC health protocol, as bytes: a name goes out, a status comes back. Pure."""

from __future__ import annotations

from rollout.probes.said import BadAnswer

_STRING_1, _VARINT_1 = 0x0A, 0x08
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_NO_ANSWER = "no health answer"


def request_of(service: str) -> bytes:
    """Return the ``HealthCheckRequest`` for a service (empty: the whole server)."""
    name = service.encode()
    return bytes((_STRING_1,)) + _varint(len(name)) + name if name else b""


def status_in(message: bytes) -> int:
    """Return the status of a ``HealthCheckResponse`` (0: unknown, 1: serving, 2: not serving, 3: service unknown).

    Raises:
        BadAnswer: it is no such message.
    """
    status, at = 0, 0
    while at < len(message):
        tag, at = _read(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _read(message, at)
            status = value if tag == _VARINT_1 else status
        elif kind == _BYTES:
            size, at = _read(message, at)
            at += size
        elif kind in {_FIXED_32, _FIXED_64}:
            at += 4 if kind == _FIXED_32 else 8
        else:
            raise BadAnswer(_NO_ANSWER)
    if at != len(message):
        raise BadAnswer(_NO_ANSWER)
    return status


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits of each byte count
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*found, number))


def _read(message: bytes, at: int) -> tuple[int, int]:
    number = 0
    for place, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a number
            return number, at + place + 1
    raise BadAnswer(_NO_ANSWER)

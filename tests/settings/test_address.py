"""Where the API listens, as text."""

import pytest

from rollout.settings.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8686", Address("127.0.0.1", 8686)),
        ("[::1]:0", Address("::1", 0)),
        ("api.example:443", Address("api.example", 443)),
        ("off", None),
    ],
)
def test_an_address_is_read(text: str, address: Address | None) -> None:
    """Host and port, an IPv6 address in brackets, or off."""
    read = parse_address(text)

    assert read == address


@pytest.mark.parametrize(
    "text",
    ["", "8686", ":8686", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "a b:1", "[::1]", "[::g]:1", "::1:80", "h:65536"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """A part that is missing or cannot be is an error."""
    with pytest.raises(ValueError):
        parse_address(text)


@pytest.mark.parametrize("text", ["127.0.0.1:8686", "[::1]:0", "[2001:db8::1]:443", "api.example:443"])
def test_an_address_is_written_as_it_is_read(text: str) -> None:
    """Its text is what was given."""
    written = str(parse_address(text))

    assert written == text


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *(("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)),
        *(("0.0.0.1", False), ("::", False), ("10.0.0.1", False), ("localhost.example", False)),
    ],
)
def test_only_loopback_is_for_this_machine_alone(host: str, *, loopback: bool) -> None:
    """All addresses, and names that others may have, are reachable by others."""
    address = Address(host, 1)

    assert address.is_loopback is loopback

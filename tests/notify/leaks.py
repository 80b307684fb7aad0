"""Where secrets came to light: a search of all that a service wrote, said and sent, after everything has happened."""

from collections.abc import Collection, Mapping
from pathlib import Path

KEPT = frozenset({"bus.url", "bus.secret", "sinks.yaml"})
"""The files in which secrets stand."""


def leaks(folder: Path, secrets: Collection[str], said: Mapping[str, bytes]) -> list[str]:
    """Return which secret is where: in a file below ``folder`` (logs, databases) or in one of the things ``said``."""
    files = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name not in KEPT}
    assert files, "a search in nothing finds nothing"
    wanted = [secret.encode() for secret in secrets]
    return [f"{place}: {one.decode()}" for place, text in {**files, **said}.items() for one in wanted if one in text]

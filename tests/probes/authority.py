"""A certificate authority for probes, made with openssl, and what it signs."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.tools import require

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


def _openssl(*arguments: str) -> None:
    require(shutil.which("openssl"), "no openssl on PATH")
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=20)  # noqa: S607 - as people make them


@dataclass(frozen=True)
class Authority:
    """An authority with this name; its files and those that it signs are in ``folder``."""

    folder: Path
    name: str = "ca"

    @property
    def file(self) -> Path:
        """Return its certificate."""
        return self.folder / f"{self.name}.pem"

    def make(self) -> "Authority":
        """Make its key and certificate."""
        key = self.folder / f"{self.name}.key"
        _openssl("req", "-x509", *KEY, "-subj", f"/CN={self.name}", "-out", str(self.file), "-keyout", str(key))
        return self

    def sign(self, name: str, names: str = "IP:127.0.0.1") -> None:
        """Make ``name.pem`` and ``name.key`` for these names."""
        where, extra = self.folder / f"{name}.pem", ("-addext", f"subjectAltName={names}")
        own = ("-CA", str(self.file), "-CAkey", str(self.folder / f"{self.name}.key"))
        _openssl(
            *("req", "-x509", *KEY, "-subj", f"/CN={name}", *extra, *own),
            *("-out", str(where), "-keyout", str(where.with_suffix(".key"))),
        )

    def server(self, name: str, *, client_authority: "Authority | None" = None) -> ssl.SSLContext:
        """Return what a server shows as ``name``; with an authority it wants a certificate of its clients."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        if client_authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_authority.file)
        return context

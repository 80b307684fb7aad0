"""Certificates for 127.0.0.1, made with openssl as people make them."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.tools import require


@dataclass(frozen=True)
class Pair:
    """A certificate that signed itself, and its key."""

    certificate: Path
    key: Path

    def client_context(self, own: "Pair | None" = None) -> ssl.SSLContext:
        """Return what a client needs that trusts this certificate, and shows `own`."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if own is not None:
            context.load_cert_chain(own.certificate, own.key)
        return context

    def replace(self, fresh: "Pair") -> None:
        """Rename the files of another pair over these."""
        fresh.key.rename(self.key)
        fresh.certificate.rename(self.certificate)


def certificate(folder: Path, name: str = "api", *, password: str | None = None) -> Pair:
    """Make a certificate of this name; with a password the key is encrypted."""
    require(shutil.which("openssl"), "no openssl on PATH")
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    what = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
    names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    secret = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    command = ["openssl", *what, *secret, *names, "-out", str(pair.certificate), "-keyout", str(pair.key)]
    subprocess.run(command, check=True, capture_output=True, timeout=20)
    return pair

"""Probes over TLS: whom they trust, what they show, and what they say when that fails."""

import ssl
import subprocess
from pathlib import Path

import pytest

from rollout.failover.probing import Answer
from rollout.probes.asking import asker_for
from rollout.probes.said import Said, Unsent
from rollout.probes.tls import Certificates
from rollout.signals import Target
from rollout.spec.probe import HttpProbe, ProbeSignal, ProbeTls, TcpProbe
from tests.probes.authority import KEY, Authority
from tests.probes.servers import OK, answering, probe, serving

TRUSTING = ProbeTls(ca="ca.pem")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority that signed `server` for 127.0.0.1, and another one."""
    made = Authority(tmp_path).make()
    made.sign("server")
    return made


async def asked(target: Target, folder: Path | None, tls: ProbeTls, http: HttpProbe | None = None) -> Said:
    """Ask once by HTTP over TLS."""
    signal = ProbeSignal(http=http or HttpProbe(), tls=tls)
    return await probe(asker_for(signal, target, Certificates(folder)))


async def answer_of(context: ssl.SSLContext, folder: Path, tls: ProbeTls, http: HttpProbe | None = None) -> Said:
    """Ask a server with this context once."""
    async with serving(answering(OK), tls=context) as target:
        return await asked(target, folder, tls, http)


async def test_a_server_whose_certificate_is_trusted_is_asked(authority: Authority) -> None:
    """The name in it is the address, when nothing else is said."""
    assert await answer_of(authority.server("server"), authority.folder, TRUSTING) == Said(Answer.GOOD, "200")


@pytest.mark.parametrize(
    ("tls", "http"),
    [
        pytest.param(ProbeTls(ca="ca.pem", server_name="pay.internal"), HttpProbe(), id="server name"),
        pytest.param(ProbeTls(ca="ca.pem"), HttpProbe(host="pay.internal:8443"), id="host"),
    ],
)
async def test_the_certificate_may_be_of_another_name(authority: Authority, tls: ProbeTls, http: HttpProbe) -> None:
    """Pods show the name of their Service, not their address."""
    authority.sign("named", "DNS:pay.internal")

    assert (await answer_of(authority.server("named"), authority.folder, tls, http)).text == "200"


async def test_a_certificate_of_another_authority_is_bad(authority: Authority) -> None:
    """Whoever answers is not who should."""
    Authority(authority.folder, "other").make()
    said = await answer_of(authority.server("server"), authority.folder, ProbeTls(ca="other.pem"))

    assert said.answer is Answer.BAD
    assert said.text.startswith("certificate: ")


async def test_a_certificate_of_the_system_is_wanted_when_no_authority_is_named(authority: Authority) -> None:
    """Ours is not one of them."""
    said = await answer_of(authority.server("server"), authority.folder, ProbeTls())

    assert said.answer is Answer.BAD


async def test_a_certificate_with_another_name_is_bad(authority: Authority) -> None:
    """Also where the authority is trusted."""
    tls = ProbeTls(ca="ca.pem", server_name="pay.internal")
    said = await answer_of(authority.server("server"), authority.folder, tls)

    assert said.answer is Answer.BAD
    assert "certificate: Hostname mismatch" in said.text


async def test_a_client_certificate_is_shown(authority: Authority) -> None:
    """With it the server answers; without it, it does not."""
    authority.sign("client")
    context = authority.server("server", client_authority=authority)
    with_it = ProbeTls(ca="ca.pem", certificate="client.pem", key="client.key")

    assert (await answer_of(context, authority.folder, with_it)).text == "200"
    assert (await answer_of(context, authority.folder, TRUSTING)).answer is Answer.BAD


async def test_a_server_without_tls_is_bad(authority: Authority) -> None:
    """It answers something else."""
    async with serving(answering(b"HTTP/1.1 400 Bad\r\n\r\n")) as target:
        said = await asked(target, authority.folder, TRUSTING)

    assert said.answer is Answer.BAD


@pytest.mark.parametrize(
    ("tls", "text"),
    [
        (ProbeTls(ca="nobody.pem"), "nobody.pem cannot be read"),
        (ProbeTls(ca="server.key"), "cannot use server.key"),
        (ProbeTls(certificate="ca.pem", key="server.key"), "cannot use ca.pem, server.key"),
        (ProbeTls(ca="large.pem"), "large.pem is too large"),
        (ProbeTls(certificate="locked.pem", key="locked.key"), "cannot use locked.pem, locked.key"),
    ],
)
async def test_files_that_cannot_be_used_are_no_word_on_the_target(
    authority: Authority, tls: ProbeTls, text: str
) -> None:
    """The mistake is ours; nothing is asked on the terminal."""
    (authority.folder / "large.pem").write_bytes(b"-" * 1024 * 1025)
    locked = [*("-passout", "pass:secret", "-subj", "/CN=x"), "-out", str(authority.folder / "locked.pem")]
    plain = [part for part in KEY if part != "-nodes"]
    command = ["openssl", "req", "-x509", *plain, *locked, "-keyout", str(authority.folder / "locked.key")]
    subprocess.run(command, check=True, capture_output=True, timeout=20)
    said = await answer_of(authority.server("server"), authority.folder, tls)

    assert said == Said(Answer.UNSENT, text)


async def test_without_a_folder_no_file_is_read(authority: Authority) -> None:
    """The operator says where certificates are; nobody else does."""
    async with serving(answering(OK), tls=authority.server("server")) as target:
        said = await asked(target, None, TRUSTING)

    assert said == Said(Answer.UNSENT, "no folder of certificates")


async def test_a_file_that_cannot_be_read_is_not_looked_for_by_every_probe(tmp_path: Path) -> None:
    """It is looked for again after a while."""
    eager, patient = Certificates(tmp_path, look_seconds=0), Certificates(tmp_path)
    for certificates in (eager, patient):
        with pytest.raises(Unsent):
            await certificates.read(TRUSTING)
    Authority(tmp_path).make()
    context, _ = await eager.read(TRUSTING)

    assert context.get_ca_certs()
    with pytest.raises(Unsent):
        await patient.read(TRUSTING)


@pytest.mark.parametrize("name", ["../ca.pem", "/etc/ssl/ca.pem", ".hidden", "a/b.pem", ""])
def test_only_plain_names_are_files(name: str) -> None:
    """No way leads out of the folder."""
    with pytest.raises(ValueError, match="ca"):
        ProbeTls(ca=name)


async def test_a_renewed_file_is_read_again(authority: Authority) -> None:
    """Certificates are renewed under the same name."""
    certificates = Certificates(authority.folder, look_seconds=0)
    tls = ProbeTls(ca="trusted.pem")
    trusted = authority.folder / "trusted.pem"
    trusted.write_bytes(Authority(authority.folder, "other").make().file.read_bytes())
    async with serving(answering(OK), tls=authority.server("server")) as target:
        asker = asker_for(ProbeSignal(http=HttpProbe(), tls=tls), target, certificates)
        before = await probe(asker, close=False)
        (authority.folder / "new.pem").write_bytes(authority.file.read_bytes())
        (authority.folder / "new.pem").rename(trusted)
        after = await probe(asker)
    first, again = await certificates.read(tls), await certificates.read(tls)

    assert (before.answer, after.text) == (Answer.BAD, "200")
    assert first[0] is again[0]


async def test_files_are_looked_at_now_and_then_only() -> None:
    """What was read a moment ago is used as it is."""
    certificates = Certificates()
    first, again = await certificates.read(ProbeTls()), await certificates.read(ProbeTls())

    assert first == again
    assert first[1].authorities is None


@pytest.mark.parametrize(("ca", "answer"), [("ca.pem", Answer.GOOD), ("other.pem", Answer.BAD)])
async def test_a_tcp_probe_may_end_with_a_handshake(authority: Authority, ca: str, answer: Answer) -> None:
    """Who cannot show a trusted certificate is not well."""
    Authority(authority.folder, "other").make()
    async with serving(answering(OK), tls=authority.server("server")) as target:
        signal = ProbeSignal(tcp=TcpProbe(), tls=ProbeTls(ca=ca))
        said = await probe(asker_for(signal, target, Certificates(authority.folder)))

    assert said.answer is answer

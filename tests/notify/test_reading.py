"""The file of sinks: what is taken, what is said of what is wrong, and that no secret is said again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.errors import ConfigurationError, Problem
from rollout.notify.reading import read_sinks
from rollout.notify.sinks import Digest, Sink, SinkKind

SECRET = "T0secret"
URL = f"https://hooks.example/services/{SECRET}"


def put(folder: Path, text: str) -> Path:
    """Write a file of sinks."""
    path = folder / "sinks.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def one(folder: Path, *lines: str, kind: str = "Slack") -> Path:
    """Write a file with one sink, whose fields are ``lines``."""
    fields = "".join(f"    {line}\n" for line in lines)
    return put(folder, f"sinks:\n  - name: team\n    kind: {kind}\n{fields}")


def read_one(folder: Path, *lines: str, kind: str = "Slack") -> Sink:
    """Read the sink of a file that has one."""
    return read_sinks(one(folder, *lines, kind=kind)).sinks[0]


def said(path: Path) -> list[str]:
    """Return what is said of a file that is wrong, with the name of the file alone."""
    with pytest.raises(ConfigurationError) as caught:
        read_sinks(path, zones)
    return [str(problem).removeprefix(f"{path.parent}/") for problem in caught.value.problems]


def zones(name: str, field: str) -> Iterator[Problem]:
    """Know no time zone but UTC."""
    if name != "UTC":
        yield Problem(field, "is no time zone", given=name)


def test_a_sink_is_read_with_its_defaults(tmp_path: Path) -> None:
    """A name, a kind and an address are enough."""
    sink = read_one(tmp_path, f"url: {URL}")

    assert (sink.name, sink.kind, sink.every, sink.on, sink.timeout) == ("team", SinkKind.SLACK, False, (), 5.0)
    assert sink.url is not None
    assert sink.url.get_secret_value() == URL


def test_paths_are_seen_from_the_folder_of_the_file(tmp_path: Path) -> None:
    """Wherever the service is started; an absolute one stays."""
    lines = ("urlFile: secret/url", "secretFile: /etc/key", "caFile: ca.pem")
    sink = read_one(tmp_path, *lines, kind="CloudEvents")

    assert (sink.url_file, sink.secret_file, sink.ca_file) == (
        tmp_path / "secret/url",
        Path("/etc/key"),
        tmp_path / "ca.pem",
    )


def test_an_empty_file_has_no_sinks(tmp_path: Path) -> None:
    """Nobody is told."""
    assert read_sinks(put(tmp_path, "# none yet\n")).sinks == ()


def test_everything_can_be_said(tmp_path: Path) -> None:
    """Each field of a sink is taken."""
    lines = (
        *("tokenFile: token", "channel: '#ops'", "every: true", "on: [Promoted, Aborted]", "timeout: 2s"),
        *("namespaces: ['team-*']", "labels: {tier: gold}", "digest: {least: 3, gather: 1s}"),
        "quiet: {during: ['* 22-23 * * *'], timeZone: UTC, except: [Aborted]}",
        "templates: {title: '{{ rollout.name }}', text: '{{ message }}'}",
    )
    sink = read_one(tmp_path, *lines, kind="SlackBot")

    assert sink.quiet is not None
    assert (sink.quiet.besides, sink.labels, sink.namespaces) == (("Aborted",), {"tier": "gold"}, ("team-*",))
    assert (sink.digest, sink.templates.title) == (
        Digest.model_validate({"least": 3, "gather": "1s"}),
        "{{ rollout.name }}",
    )


def test_no_digest_can_be_asked_for(tmp_path: Path) -> None:
    """`digest: false` means never."""
    assert read_one(tmp_path, f"url: {URL}", "digest: false").digest is False


WRONG = {
    "no kind": ("sinks:\n- name: a\n  url: https://x\n", ["sinks.yaml:2: sinks[0].kind: is required (given: nothing)"]),
    "a kind that is not there": (
        "sinks:\n- name: a\n  kind: Slak\n  url: https://x\n",
        ["sinks.yaml:3: sinks[0].kind: is not one of the known values; did you mean Slack? (given: "],
    ),
    "an unknown field": (
        "sinks:\n- name: a\n  kind: Slack\n  urlfile: u\n",
        [
            "sinks.yaml:4: sinks[0].urlfile: is not a known field; did you mean urlFile?; allowed: the fields name",
            "sinks.yaml:2: sinks[0].urlFile: is required",
        ],
    ),
    "names twice": (
        "sinks:\n- {name: a, kind: Slack, url: 'https://x'}\n- {name: a, kind: Slack, url: 'https://y'}\n",
        ["sinks.yaml:3: sinks[1].name: is that of sinks[0], too (given: a); allowed: a name that no other sink has"],
    ),
    "no address": (
        "sinks:\n- {name: a, kind: Teams}\n",
        ["sinks.yaml:2: sinks[0].urlFile: is required (given: nothing); allowed: url or urlFile, one of them"],
    ),
    "two addresses": (
        "sinks:\n- {name: a, kind: Teams, url: 'https://x', urlFile: u}\n",
        ["sinks.yaml:2: sinks[0].urlFile: is a second address; allowed: url or urlFile, not both"],
    ),
    "a bot without token and channel": (
        "sinks:\n- {name: a, kind: SlackBot}\n",
        [
            "sinks.yaml:2: sinks[0].tokenFile: is required (given: nothing); allowed: a value; kind SlackBot needs it",
            "sinks.yaml:2: sinks[0].channel: is required (given: nothing); allowed: a value; kind SlackBot needs it",
        ],
    ),
    "fields of other kinds": (
        "sinks:\n- {name: a, kind: Slack, url: 'https://x',\n   channel: c,\n   secretFile: s}\n",
        [
            "sinks.yaml:3: sinks[0].channel: means nothing to kind Slack; allowed: with kind SlackBot only",
            "sinks.yaml:4: sinks[0].secretFile: means nothing to kind Slack; allowed: with kind CloudEvents only",
        ],
    ),
    "a digest of events": (
        "sinks:\n- {name: a, kind: CloudEvents, url: 'https://x', digest: {least: 2}}\n",
        ["sinks.yaml:2: sinks[0].digest: means nothing to kind CloudEvents"],
    ),
    "a digest of too few": (
        "sinks:\n- {name: a, kind: Slack, url: 'https://x', digest: {least: 1}}\n",
        ["sinks.yaml:2: sinks[0].digest.least: is too small (given: 1); allowed: a whole number from 2 to 1000"],
    ),
    "a digest that is no such thing": (
        "sinks:\n- {name: a, kind: Slack, url: 'https://x', digest: true}\n",
        ["sinks.yaml:2: sinks[0].digest: must be a mapping (given: true)"],
    ),
    "a time zone that is not there": (
        "sinks:\n- name: a\n  kind: Slack\n  url: https://x\n  quiet: {during: ['* 1 * * *'], timeZone: Mars/One}\n",
        ["sinks.yaml:5: sinks[0].quiet.timeZone: is no time zone (given: Mars/One)"],
    ),
    "an hour that is not there": (
        "sinks:\n- name: a\n  kind: Slack\n  url: https://x\n  quiet: {during: ['* 25 * * *']}\n",
        ["sinks.yaml:5: sinks[0].quiet.during[0]: has the hour 25"],
    ),
    "an unknown placeholder": (
        "sinks:\n- name: a\n  kind: Slack\n  url: https://x\n  templates: {title: '{{ nme }}'}\n",
        ["sinks.yaml:5: sinks[0].templates.title: has the unknown placeholder {{ nme }}"],
    ),
    "a number for a file": (
        "sinks:\n- name: a\n  kind: Slack\n  urlFile: 5\n",
        ["sinks.yaml:4: sinks[0].urlFile: must be text; allowed: a path"],
    ),
    "a list": ("- name: a\n", ["sinks.yaml:1: is no mapping; allowed: one mapping with sinks, a list"]),
    "two documents": ("sinks: []\n---\nsinks: []\n", ["sinks.yaml:3: is a second document"]),
    "too many": (
        "sinks:\n" + "".join(f"- {{name: s{i}, kind: Slack, url: 'https://x'}}\n" for i in range(33)),
        ["sinks.yaml:1: sinks: has too many entries (given: a list of 33); allowed: a list of 0 to 32 entries"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, case: str) -> None:
    """Every problem at once, with file and line, field, what was given and what is allowed."""
    text, expected = WRONG[case]
    found = said(put(tmp_path, text))

    assert [line[: len(begin)] for line, begin in zip(found, expected, strict=True)] == expected


SPILLED = {
    "an address of no known form": (f"url: hooks.example/{SECRET}",),
    "an address with too large a port": (f"url: https://hooks.example:99999/{SECRET}",),
    "an address with a bracket": (f"url: 'https://[hooks/{SECRET}'",),
    "an address of another type": ("url: [1]", f"urlFile: {URL}"),
    "an address in a field that is not there": (f"webhook: {URL}",),
    "a token in a field that is not there": (f"token: xoxb-{SECRET}",),
    "an address for a field": (f"'{URL}': 1",),
    "a key of another form": (f"xoxb-{SECRET}: 1",),
    "an address instead of a file": (f"urlFile: {URL}",),
    "a token instead of a file": (f"tokenFile: xoxb-{SECRET}",),
    "a signing secret instead of a file": (f"secretFile: whsec_{SECRET}",),
    "an address for a timeout": (f"url: https://x.example\n    timeout: {URL}",),
    "a list instead of an address": (f"url: [{URL}]",),
    "an address of no length": (f"url: https://x/{SECRET}{'x' * 3000}",),
}


@pytest.mark.parametrize("case", SPILLED)
def test_a_secret_is_never_said_again(tmp_path: Path, case: str) -> None:
    """Wherever it was written by mistake."""
    found = said(one(tmp_path, *SPILLED[case]))

    assert found
    assert SECRET not in " ".join(found)


@pytest.mark.parametrize(
    "text",
    [
        f"sinks:\n- {URL}\n",
        f"sinks:\n- hooks.example/{SECRET}\n",
        f"sinks: hooks.example:443/{SECRET}\n",
        f"sinks: {SECRET}\n",
        f"sinks: [{SECRET}]\n",
        f"sinks:\n- name: a\n  kind: Slack\n  url: *{SECRET}\n",
        f"sinks:\n- name: a\n  url: https://x\n  kind: hooks.example/{SECRET}\n",
        f"sinks:\n- name: hooks.example/{SECRET}\n  url: https://x\n  kind: Slack\n",
    ],
)
def test_an_entry_that_is_an_address_is_not_said_again(tmp_path: Path, text: str) -> None:
    """A list of addresses looks as if it could be meant, and one without a scheme is one, too."""
    found = said(put(tmp_path, text))

    assert found
    assert SECRET not in " ".join(found)


def test_apprise_takes_its_own_schemes(tmp_path: Path) -> None:
    """And for any other kind it is HTTP."""
    url = read_one(tmp_path, "url: mailto://user:pass@mail.example", kind="Apprise").url

    assert url is not None
    assert url.get_secret_value() == "mailto://user:pass@mail.example"
    assert said(one(tmp_path, "url: mailto://user:pass@mail.example"))
    assert said(one(tmp_path, "url: nothing", kind="Apprise"))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """With its name."""
    assert said(tmp_path / "none.yaml") == ["none.yaml: cannot be read: No such file or directory"]


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    """It is refused by its size."""
    found = said(put(tmp_path, "#" * 1_100_000))

    assert found == ["sinks.yaml: is too large; allowed: at most 1048576 bytes"]


def test_an_address_is_not_in_what_a_sink_shows(tmp_path: Path) -> None:
    """Not when it is printed, nor when it is dumped."""
    sink = read_one(tmp_path, f"url: {URL}")

    assert SECRET not in f"{sink!r} {sink} {sink.model_dump()} {sink.model_dump_json()}"

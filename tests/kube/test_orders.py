"""The annotation that carries a command, read and written."""

import json

import pytest

from rollout.engine.observation import Command
from rollout.kube.orders import COMMAND, LONGEST_REASON, MOST_CHARACTERS, Writer, command_of, text_of
from rollout.kube.resources import MANAGER
from tests.kube.objects import WRITTEN_AT

PERSON = Writer("kubectl-annotate", WRITTEN_AT)
SAID = "annotation, field manager kubectl-annotate"


def read(writer: Writer = PERSON, **told: object) -> Command:
    """Return the command that stands in an annotation."""
    return command_of(json.dumps(told), [writer])


def test_only_the_action_is_needed() -> None:
    """Time and author are those of the writing, and the id is made of the text."""
    command = read(action="pause")

    assert (command.action, command.args, command.at, command.by) == ("pause", {}, WRITTEN_AT, SAID)
    assert command.id.startswith("annotation-")
    assert command.problem == ""


def test_the_same_text_is_the_same_command() -> None:
    """Written again, later or by somebody else, it has the same id; another text has another."""
    again = read(Writer("argocd", WRITTEN_AT + 60), action="pause")

    assert again.id == read(action="pause").id != read(action="resume").id


def test_everything_that_a_command_has_can_be_said() -> None:
    """The fields are those of the API."""
    asked = read(id="deploy-7", action="start", args={"revision": "7"}, reason="release", at="2026-11-21T09:59:00Z")

    assert asked == Command("deploy-7", "start", {"revision": "7"}, WRITTEN_AT - 60, "release", SAID)


@pytest.mark.parametrize(
    ("action", "args"),
    [
        ("failover", {"to": "pay-dr"}),
        ("failover", {}),
        ("failback", {"epoch": 3}),
        ("approve", {"epoch": 3}),
        ("unlatch", {}),
        ("hold", {}),
        ("drill", {}),
    ],
)
def test_failover_is_commanded_as_by_the_api(action: str, args: dict[str, object]) -> None:
    """Backup and number come through as they stand there, and are written again as they are."""
    asked = read(id="a", action=action, args=args)

    assert (asked.action, asked.args, asked.problem) == (action, args, "")
    assert command_of(text_of(asked), [PERSON]).args == args


@pytest.mark.parametrize(
    "writer",
    [
        Writer("flux", WRITTEN_AT, applies=True),
        Writer("kubectl-client-side-apply", WRITTEN_AT),
        Writer("argocd-controller", WRITTEN_AT),
    ],
)
def test_what_stands_in_a_manifest_needs_a_time(writer: Writer) -> None:
    """It is applied again and again, also long after its id has left the status."""
    refused = command_of('{"id":"a","action":"abort"}', [PERSON, writer])

    assert refused.action == "unreadable"
    assert f"at: is needed in what is applied, here by {writer.name}" in refused.problem
    assert read(writer, action="abort", at=WRITTEN_AT - 600).at == WRITTEN_AT - 600


@pytest.mark.parametrize("given", ["2026-11-21T10:59:00+01:00", "2026-11-21T08:29:00.000-01:30", WRITTEN_AT - 60])
def test_times_have_an_offset_or_are_unix_seconds(given: object) -> None:
    """As ``date`` and other programs write them."""
    assert read(action="pause", at=given).at == WRITTEN_AT - 60


def test_a_number_can_be_an_id() -> None:
    """People count."""
    assert read(action="pause", id=7).id == "7"


def test_nobody_can_say_that_another_one_wrote_it() -> None:
    """``by`` counts only in what our API wrote."""
    assert read(action="pause", by="ada").by == SAID


def test_what_our_api_wrote_says_who_asked() -> None:
    """The API knows its caller; the annotation carries it."""
    command = Command("c1", "start", {"revision": "2"}, WRITTEN_AT - 5, "release", "ada")

    assert command_of(text_of(command), [Writer(MANAGER, WRITTEN_AT)]) == command


def test_the_last_who_wrote_it_is_named() -> None:
    """Where several own it, as after an apply of the same text, the newest is the one."""
    command = command_of('{"action":"pause"}', [PERSON, Writer("argocd", WRITTEN_AT + 60)])

    assert (command.by, command.at) == ("annotation, field manager argocd", WRITTEN_AT + 60)


def test_an_author_that_is_not_known_is_not_invented() -> None:
    """Then it is an annotation, of a time that makes it too old."""
    command = command_of('{"action":"pause","by":"ada"}')

    assert (command.by, command.at) == ("annotation", 0.0)


def test_a_name_of_a_writer_is_printable() -> None:
    """It goes into messages."""
    assert "\n" not in read(Writer("a\nb", 1.0), action="pause").by


def test_a_time_to_come_is_taken_for_that_of_the_writing() -> None:
    """No command stays fresh for ever."""
    assert read(action="pause", at="2030-01-01T00:00:00Z").at == WRITTEN_AT
    assert read(action="pause", at=WRITTEN_AT + 0.5).at == WRITTEN_AT + 0.5


def test_a_reason_is_one_line() -> None:
    """It goes into messages."""
    assert read(action="pause", reason="a\nb").reason == "a b"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is no JSON"),
        ("pause", "it is no JSON"),
        ('{"action":"pause","at":NaN}', "it is no JSON"),
        ('{"action":"\\ud800"}', "it is no JSON"),
        ("[" * 3000, "it is no JSON"),
        ("[]", "it is no object"),
        ('{"action":"pause","args":' + '{"a":' * 8 + "1" + "}" * 9, "it is nested too deep"),
        ('{"action":"pause","reason":"' + "x" * MOST_CHARACTERS + '"}', "it is too long"),
        ("{}", "action: is required"),
        ('{"action":"explode"}', "action: is not a command (given: explode)"),
        ('{"action":["pause"]}', "action: is not a command"),
        ('{"action":"pause","args":[1]}', "args: is no object"),
        ('{"action":"pause","id":""}', "id: is not usable"),
        ('{"action":"pause","id":true}', "id: is not usable"),
        ('{"action":"pause","id":"' + "x" * 65 + '"}', "id: is not usable"),
        ('{"action":"pause","at":"yesterday"}', "at: is no time"),
        ('{"action":"pause","at":"2026-11-21T99:00:00Z"}', "at: is no time"),
        ('{"action":"pause","at":"2026-02-31T10:00:00Z"}', "at: is no time"),
        ('{"action":"pause","at":"2026-11-21T10:00:00"}', "at: is no time"),
        ('{"action":"pause","at":"1966-11-21T10:00:00Z"}', "at: is no time"),
        ('{"action":"pause","at":true}', "at: is no time"),
        ('{"action":"pause","at":-1}', "at: is no time"),
        ('{"action":"pause","at":1' + "0" * 400 + "}", "at: is no time"),
        ('{"action":"pause","reason":7}', "reason: is no short text"),
        ('{"action":"pause","reason":"' + "x" * (LONGEST_REASON + 1) + '"}', "reason: is no short text"),
        ('{"action":"pause","force":true}', "force: is no field of a command"),
    ],
)
def test_what_cannot_be_read_is_a_command_with_a_problem(text: str, why: str) -> None:
    """Somebody waits for it, so it is refused with one sentence, once for each text."""
    command = command_of(text, [PERSON])

    assert command.problem.startswith(f"{COMMAND} cannot be obeyed: ")
    assert why in command.problem
    assert len(command.problem) < 500
    assert (command.action, command.by, command.at) == ("unreadable", SAID, WRITTEN_AT)
    assert command.id == command_of(text).id


@pytest.mark.parametrize(
    "command",
    [
        Command("c1", "pause", {"why": object()}),
        Command("c1", "pause", {"why": float("nan")}),
        Command("c1", "pause", reason="x" * MOST_CHARACTERS),
        Command("c1", "pause", reason="\ud800"),
    ],
)
def test_what_cannot_be_carried_is_not_written(command: Command) -> None:
    """The API refuses it at once."""
    with pytest.raises((ValueError, TypeError)):
        text_of(command)

"""What is written for people holds: links lead somewhere, manifests are taken, commands and their flags are there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from rollout.cli.lint import lint
from rollout.cli.main import COMMANDS, load
from rollout.engine.reasons import Reason as OfEngine
from rollout.failover.reasons import Reason as OfFailover
from tests.house.generate import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
RUNBOOK = sorted(page for page in (ROOT / "docs" / "runbook").glob("*.md") if page.stem != "README")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(rollout [a-z][^`]*)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
OURS = re.compile(r"^apiVersion: rollout\.dev/", re.MULTILINE)
SHELLS = ("sh", "console")
END_OF_COMMAND = {"|", "&&", ";", "||", ">", ">>", "2>", "&"}


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return BLOCK.sub("", page.read_text(encoding="utf-8"))


def slug(heading: str) -> str:
    """Return what a heading is called in a link, as GitHub has it."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def broken(page: Path) -> Iterator[str]:
    """Yield the links of a page that lead nowhere."""
    for link in LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = (page.parent / path).resolve() if path else page
        headings = re.findall(r"^#+ (.*)$", prose(target), re.MULTILINE) if target.suffix == ".md" and anchor else []
        if not target.exists() or (anchor and anchor not in map(slug, headings)):
            yield link


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the blocks of code of a page in one of these languages."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for language, text in found if language in languages]


def manifests(page: Path) -> list[str]:
    """Return the whole manifests of ours on a page."""
    return [text for text in blocks(page, "yaml") if OURS.search(text)]


WITH_MANIFESTS = [page for page in PAGES if manifests(page)]


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of each call of `rollout` in the blocks for shells and between the words."""
    lines = [line for block in blocks(page, *SHELLS) for line in block.replace("\\\n", " ").splitlines()]
    for line in (*lines, *INLINE.findall(prose(page))):
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words and Path(words[0]).name == "rollout":
            end = next((place for place, word in enumerate(words) if word in END_OF_COMMAND), len(words))
            yield words[1:end]


def unknown(words: list[str]) -> list[str]:
    """Return what of a call of `rollout` there is not: the command, or flags of it."""
    if not words or words[0] not in COMMANDS:
        return words[:1] if words != ["COMMAND", "--help"] else []
    command = load(words[0])
    if (below := getattr(command, "commands", {})) and len(words) > 1:
        named = words[1].split("|")
        if not set(named) <= set(below):
            return words[:2]
        command = below[named[0]]
    known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    return [word for word in words if word.startswith("-") and word != "-" and word.partition("=")[0] not in known]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file or a heading in this tree has its target."""
    assert list(broken(page)) == []


@pytest.mark.parametrize("page", WITH_MANIFESTS, ids=[str(page.relative_to(ROOT)) for page in WITH_MANIFESTS])
def test_manifests_are_taken(page: Path, tmp_path: Path) -> None:
    """A whole Rollout or policy that people may copy has no error."""
    for number, manifest in enumerate(manifests(page)):
        (tmp_path / f"{number}.yaml").write_text(manifest, encoding="utf-8")
    app = typer.Typer()
    app.command()(lint)
    results = [CliRunner().invoke(app, [str(file)]) for file in sorted(tmp_path.iterdir())]

    assert [result.stdout for result in results if result.exit_code] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_are_there(page: Path) -> None:
    """A call of `rollout` names a command and flags that it has."""
    assert [words for words in commands(page) if unknown(words)] == []


@pytest.mark.parametrize("page", RUNBOOK, ids=[page.stem for page in RUNBOOK])
def test_a_page_of_the_runbook_is_found(page: Path) -> None:
    """It has the name of a reason, or an alert leads to it; its name is its heading, and it stands in the index."""
    rules = (ROOT / "deploy" / "prometheus" / "rules.yaml").read_text(encoding="utf-8")
    alerts = re.findall(r"runbook: docs/runbook/(\w+)\.md", rules)
    reasons = {*OfEngine, *OfFailover, "SignalUnavailable", *alerts}
    index = (ROOT / "docs" / "runbook" / "README.md").read_text(encoding="utf-8")

    assert page.stem in reasons
    assert page.read_text(encoding="utf-8").startswith(f"# {page.stem}")
    assert f"({page.name})" in index

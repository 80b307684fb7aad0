"""The generated pages about failover: the whole table and every reason, and the picture inside the explanation.

Called by ``tests.house.generate``. The picture leaves out what people can do from everywhere and what stays in its
stage, because a drawing with all of it is a knot; the reference has the whole table.
"""

from collections.abc import Iterable
from pathlib import Path

from rollout.failover.reasons import MEANING, Reason, Refusal
from rollout.failover.table import LEGAL, TRANSITIONS, Action, Stage, Trigger, diagram

BEGIN, END = "<!-- stages: written by `make docs` -->\n", "<!-- stages: end -->\n"
EXPLANATION = "docs/explanation/failover.md"
RUNBOOK = "docs/runbook"

_BY_PEOPLE = {Trigger.HOLD, Trigger.UNLATCH_AT_HOME, Trigger.UNLATCH_ON_THE_WAY}
"""Not in the picture: from everywhere, or only after something that is not in it."""


def stages(note: str, root: Path) -> str:
    """Return the page that tells of every change of stage, every command and every reason of failover."""
    return (
        f"{note}\n\n# Failover: stages, commands and reasons\n\n"
        "Every change of stage that there can be; the controller looks each up in this table and knows no other.\n"
        "[How failover decides](../explanation/failover.md) says why it is so.\n\n"
        f"```mermaid\n{diagram()}```\n\n"
        "## Which change leads where\n\n"
        f"{_table()}\n"
        "## Which command is legal where\n\n"
        "In every phase of the attempt, and by this table. A command that is not legal changes nothing, and is\n"
        "answered why; so is one that would give traffic to a backend that is not known to be healthy. Without\n"
        "`spec.failover`, and while the roles are unknown, none is taken.\n\n"
        f"{_legality()}\n"
        "## Reasons\n\n"
        "They stand in `status.failover.reason`, in the conditions `FailedOver` and `FailoverReady`, in events and in\n"
        "the log. A link leads to what to do.\n\n"
        f"{_reasons(root)}\n"
        "## Reasons of refused commands\n\n"
        f"{_rows((_code(refusal), MEANING[refusal]) for refusal in Refusal)}"
    )


def explanation(root: Path) -> str:
    """Return the explanation with the picture of the present table in it; the rest is written by people."""
    text = (root / EXPLANATION).read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n```mermaid\n{picture()}```\n\n{END}{after}"


def picture() -> str:
    """Return the table as a Mermaid state diagram that can be read: one arrow from stage to stage."""
    arrows: dict[tuple[Stage, Stage], list[str]] = {}
    for (source, trigger), target in TRANSITIONS.items():
        ordered = trigger is Trigger.FAIL_OVER and source not in {Stage.NORMAL, Stage.CONFIRMING}
        if source is not target and trigger not in _BY_PEOPLE and not ordered:
            arrows.setdefault((source, target), []).append(trigger.value)
    lines = [f"    {source} --> {target}: {' / '.join(words)}" for (source, target), words in arrows.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> Normal", *lines]) + "\n"


def _table() -> str:
    rows = ["| change |" + "".join(f" from {stage} |" for stage in Stage), "|---|" + "---|" * len(Stage)]
    for trigger in Trigger:
        cells = [TRANSITIONS.get((stage, trigger)) for stage in Stage]
        rows.append(f"| {trigger.value} |" + "".join(f" {cell} |" if cell else " |" for cell in cells))
    return "\n".join(rows) + "\n"


def _legality() -> str:
    rows = ["| command |" + "".join(f" {stage} |" for stage in Stage), "|---|" + "---|" * len(Stage)]
    for action in Action:
        cells = ["yes" if stage in LEGAL[action] else "" for stage in Stage]
        rows.append(f"| `{action}` |" + "".join(f" {cell} |" if cell else " |" for cell in cells))
    return "\n".join(rows) + "\n"


def _reasons(root: Path) -> str:
    pages = {page.stem for page in (root / RUNBOOK).glob("*.md")}
    linked = {reason: f"[{_code(reason)}](../runbook/{reason}.md)" for reason in Reason if reason in pages}
    return _rows((linked.get(reason, _code(reason)), MEANING[reason]) for reason in Reason)


def _code(word: str) -> str:
    return f"`{word}`"


def _rows(pairs: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"| {word} | {meaning} |\n" for word, meaning in pairs)
    return f"| reason | what it means |\n|---|---|\n{rows}"

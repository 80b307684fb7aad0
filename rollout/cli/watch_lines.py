"""Tells what `rollout watch` sees as plain lines: one for each change, for a log or a pipe."""

from __future__ import annotations

import typer

from rollout.api.models import Live, TransitionItem
from rollout.cli.outputs import note
from rollout.cli.texts import safe
from rollout.cli.transitions import line, stamp
from rollout.cli.watching import Look


class Lines:
    """A spectator that writes a line when something has changed."""

    def __init__(self, namespace: str, name: str, *, beside: bool = False) -> None:
        """Watch this Rollout; ``beside``: standard output carries something else, so lines go to standard error."""
        self._namespace, self._name, self._beside = namespace, name, beside
        self._last: tuple[str, int, str] | None = None
        self._last_message = ""
        self._last_verdict = ""
        self._away = False

    def look(self, look: Look) -> None:
        """Write what is new since the last look."""
        if bool(look.away) != self._away:
            self._away = bool(look.away)
            note(f"{look.away}; trying again" if look.away else "the server answers again")
        for item in look.transitions:
            self._happen(item)
        if not look.away:
            self._stand(look.live)

    def _happen(self, item: TransitionItem) -> None:
        """Write a transition, unless the look before it has shown the same already."""
        now = (item.phase, item.step, item.reason)
        if (now, item.message) != (self._last, self._last_message):
            typer.echo(line(self._namespace, self._name, item), err=self._beside)
        self._last, self._last_message = now, item.message

    def _stand(self, live: Live) -> None:
        now = (live.phase, live.step, live.reason)
        if now != self._last:
            self._last, self._last_message = now, live.message
            self._write(
                live, f"{live.phase or 'new'}{f' step {live.step}' if live.step else ''} {live.reason}: {live.message}"
            )
        verdict = f"{live.verdict} {live.verdict_reason}" if live.verdict is not None else ""
        if verdict and verdict != self._last_verdict:
            self._write(live, f"verdict {verdict}: {live.verdict_message or ''}")
        self._last_verdict = verdict

    def _write(self, live: Live, text: str) -> None:
        typer.echo(safe(f"{stamp(live.at)} {self._namespace}/{self._name} {text}".rstrip(": ")), err=self._beside)

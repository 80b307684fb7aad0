"""Watches a folder of manifests and keeps a store as the files say.

Looks at names, times and sizes every second; a file is read when two looks in a row saw it the
same, so that nobody's half-written file is taken for whole, and what it held is only gone when two
looks did not find it. What cannot be read leaves the last good version in force; a folder that
is missing, unreadable, or empty where it was not before, deletes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import structlog

from rollout.ending import end
from rollout.errors import ConfigurationError, Problem, RolloutError, Unavailable
from rollout.manifests.claims import Claim, claims_of, label
from rollout.manifests.contents import Contents, Identity, contents_of
from rollout.manifests.files import Listing, Signature, is_still, list_files, read_text
from rollout.manifests.sink import Sink
from rollout.ports import Key

log = structlog.get_logger(__name__)

Report = Callable[[Sequence[Problem]], None]


def log_problems(problems: Sequence[Problem]) -> None:
    """Log each problem."""
    for problem in problems:
        if problem.warning:
            log.info("manifest warning", problem=str(problem))
        else:
            log.warning("manifest problem", problem=str(problem))


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """How often the folder is looked at, and how soon again when something is just changing (seconds)."""

    interval_seconds: float = 1.0
    settle_seconds: float = 0.1


class ManifestFolder:
    """Hands the Rollouts and policies of one folder to ``sink``; ``report`` hears of each problem when it appears."""

    def __init__(
        self, folder: Path, sink: Sink, *, report: Report = log_problems, options: FolderOptions = FolderOptions()
    ) -> None:
        """Remember what to watch; nothing is read before ``start`` or ``look``."""
        self._folder = folder
        self._sink = sink
        self._report = report
        self._options = options
        self._seen: dict[str, Signature] = {}
        self._read: dict[str, Signature] = {}
        self._contents: dict[str, Contents] = {}
        self._taken: dict[Identity, Claim] = {}
        self._trusted: tuple[int, int] | None = None
        self._problems: tuple[Problem, ...] = ()
        self._brought: dict[Identity, str] | None = None
        self._failed = False
        self._looks = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return everything that is wrong now."""
        return self._problems

    async def start(self) -> None:
        """Read the folder once, then keep watching it.

        Raises:
            Unavailable: it cannot be read, and the store has no Rollout that could be looked after meanwhile.
        """
        await self.look()
        await asyncio.sleep(self._options.settle_seconds)
        await self.look()
        if self._looks == 0 and not self._sink.sources():
            raise Unavailable(str(self._problems[0]))
        self._task = asyncio.create_task(self._watch(), name="manifests")

    async def aclose(self) -> None:
        """Watch no longer."""
        await end(self._task)
        self._task = None

    async def _watch(self) -> None:
        while True:
            changing = self._changing()
            await asyncio.sleep(self._options.settle_seconds if changing else self._options.interval_seconds)
            try:
                await self.look()
            except Exception:
                log.exception("looking at the manifests failed", folder=str(self._folder))

    def _changing(self) -> bool:
        """Return whether the last look saw something that the next one may confirm."""
        return self._seen != self._read

    async def look(self) -> None:
        """Look once, and bring the store to what two looks agree on."""
        try:
            listing = await asyncio.to_thread(list_files, self._folder)
        except Unavailable as error:
            self._brought = None
            self._tell((Problem("", f"{error}; nothing is deleted"),))
            return
        await self._read_settled(listing)
        for name in [n for n in self._contents if n not in listing.files and n not in self._seen]:
            del self._contents[name], self._read[name]
        before, self._seen = self._seen, dict(listing.files)
        self._looks += 1
        if listing.files:
            self._trusted = listing.identity
        if self._seen != before or self._seen != self._read or self._brought != self._current():
            self._brought = None
            problems = await self._bring(listing, before)
            self._tell((*problems, *self._unlisted(listing)))
            is_final = self._seen == before and not self._failed and not listing.unlisted
            self._brought = self._current() if is_final else None

    async def _read_settled(self, listing: Listing) -> None:
        """Read the files that changed and look the same as in the last look."""
        settled = {n: s for n, s in listing.files.items() if self._seen.get(n) == s != self._read.get(n)}
        for name, contents in (await asyncio.to_thread(self._read_files, settled)).items():
            last = self._contents.get(name, Contents())
            self._contents[name] = replace(contents, documents=last.documents) if contents.broken else contents
            self._read[name] = settled[name]
            self._brought = None

    def _read_files(self, names: Mapping[str, Signature]) -> dict[str, Contents]:
        found = {name: self._read_file(self._folder / name) for name in names}
        return {name: contents for name, contents in found.items() if is_still(self._folder / name, names[name])}

    @staticmethod
    def _read_file(path: Path) -> Contents:
        try:
            return contents_of(str(path), read_text(path))
        except ConfigurationError as error:
            return Contents(problems=error.problems, broken=True)

    def _current(self) -> dict[Identity, str]:
        """Return the source of everything that the store has."""
        return dict(chain[tuple[Identity, str]](self._sink.sources().items(), self._sink.policy_sources().items()))

    async def _bring(self, listing: Listing, before: dict[str, Signature]) -> list[Problem]:
        """Bring the store to what the files say; return everything that is wrong."""
        self._failed, current = False, self._current()
        claims, problems = claims_of(self._contents, current, str(self._folder))
        found = [problem for contents in self._contents.values() for problem in contents.problems]
        found += problems
        # Policies first, so that no Rollout is looked at without the one that came with it.
        for identity, claim in sorted(claims.items(), key=lambda item: isinstance(item[0], Key)):
            found += await self._take(identity, claim, current)
        gone = [i for i, s in current.items() if i not in claims and self._is_gone(s, listing, before)]
        if gone and self._trusted != listing.identity:
            kept = f"{len(gone)} that came from it are kept: {', '.join(label(identity) for identity in gone[:5])}"
            return [*found, Problem("", f"the folder is empty; {kept}", source=str(self._folder))]
        for identity in gone:
            found += await self._drop(identity)
        return found

    def _is_gone(self, source: str, listing: Listing, before: dict[str, Signature]) -> bool:
        """Return whether what ``source`` gave is surely not wanted any more."""
        if not source or self._looks <= 1 or listing.unlisted:
            return False
        if source in listing.files:
            return self._read.get(source) == listing.files[source] and not self._contents[source].broken
        return source not in before

    async def _take(self, identity: Identity, claim: Claim, current: dict[Identity, str]) -> tuple[Problem, ...]:
        if self._taken.get(identity) == claim and identity in current:
            return ()
        try:
            if isinstance(identity, Key):
                await self._sink.apply(claim.document.value, claim.source)
            else:
                await self._sink.apply_policy(claim.document.value, claim.source)
        except RolloutError as error:
            return (self._untaken(identity, claim.source, error),)
        self._taken[identity] = claim
        log.info("manifest taken", what=label(identity), file=claim.source)
        return ()

    async def _drop(self, identity: Identity) -> tuple[Problem, ...]:
        try:
            if isinstance(identity, Key):
                await self._sink.mark_deleting(identity)
            else:
                await self._sink.remove_policy(*identity)
        except RolloutError as error:
            return (self._untaken(identity, "", error),)
        self._taken.pop(identity, None)
        log.info("manifest gone", what=label(identity))
        return ()

    def _untaken(self, identity: Identity, source: str, error: RolloutError) -> Problem:
        self._failed = True
        place = f"{self._folder}/{source}" if source else str(self._folder)
        return Problem("", f"{label(identity)} could not be kept, and is tried again: {error}", source=place)

    def _unlisted(self, listing: Listing) -> list[Problem]:
        return [Problem("", "cannot be read; nothing is deleted meanwhile", source=path) for path in listing.unlisted]

    def _tell(self, problems: tuple[Problem, ...]) -> None:
        news = [problem for problem in dict.fromkeys(problems) if problem not in self._problems]
        self._problems = tuple(dict.fromkeys(problems))
        if news:
            self._report(news)

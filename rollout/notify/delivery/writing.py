"""Makes messages of what is owed, in the words of one sink."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from rollout.engine.state import Transition
from rollout.notify.delivery.book import Book
from rollout.notify.delivery.gathering import MOST_LINES
from rollout.notify.delivery.owed import Due
from rollout.notify.message import Message, Notice
from rollout.notify.notices import digest_of, earlier_of, message_of, notice_of
from rollout.notify.sinks import Templates
from rollout.ports import Key


class Writer:
    """Writes for one sink."""

    def __init__(self, book: Book, templates: Templates, link: str | None) -> None:
        """Write in the words of ``templates``; ``link`` is a template, too."""
        self._book = book
        self._templates = templates
        self._link = link

    def one(self, key: Key, due: Due, thread: str) -> Message:
        """Return the message of one thing that is due."""
        if due.transition is None:
            return earlier_of(key, self._book.uid(key), first=due.first, last=due.number, before=due.at)
        return message_of(self._notice(key, due.transition), templates=self._templates, thread=thread)

    def many(self, owed: Mapping[Key, tuple[Due, ...]]) -> Message | None:
        """Return one message of all that is due, in order for each Rollout; None: there is nothing to list."""
        listed, more = list[Notice](), 0
        for key, due in chain.from_iterable(((key, due) for due in dues) for key, dues in owed.items()):
            if due.transition is None:
                more += due.number - due.first + 1
            elif len(listed) < MOST_LINES:
                listed.append(self._notice(key, due.transition))
            else:
                more += 1
        return digest_of(listed, more=more) if listed else None

    def _notice(self, key: Key, made: Transition) -> Notice:
        return notice_of(key, self._book.uid(key), made, state=self._book.state(key), link=self._link)

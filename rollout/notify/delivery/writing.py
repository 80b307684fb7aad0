"""Makes messages of what is owed, in the words of one sink."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

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

    def one(self, key: Key, due: Due, thread: str) -> Message | None:
        """Return the message of one thing that is due; None: the Rollout is not ours any more."""
        uid = self._book.uid(key)
        if uid is None:
            return None
        if due.transition is None:
            return earlier_of(key, uid, first=due.first, last=due.number)
        notice = notice_of(key, uid, due.transition, state=self._book.state(key), link=self._link)
        return message_of(notice, templates=self._templates, thread=thread)

    def many(self, owed: Mapping[Key, tuple[Due, ...]]) -> Message | None:
        """Return one message of all that is due, in order for each Rollout; None: there is nothing to list."""
        listed, more = list[Notice](), 0
        for key, due in chain.from_iterable(((key, due) for due in dues) for key, dues in owed.items()):
            notice = self._notice(key, due) if len(listed) < MOST_LINES else None
            if notice is not None:
                listed.append(notice)
            else:
                more += due.number - due.first + 1 if due.transition is None else 1
        return digest_of(listed, more=more) if listed else None

    def _notice(self, key: Key, due: Due) -> Notice | None:
        uid = self._book.uid(key)
        if uid is None or due.transition is None:
            return None
        return notice_of(key, uid, due.transition, state=self._book.state(key), link=self._link)

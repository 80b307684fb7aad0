"""Objects in memory: the newest of each, whatever comes when."""

from typing import Any

import structlog

from rollout.kube.cache import MOST_GONE, Cache, Name
from rollout.kube.resources import Document

A: Name = ("shop", "a")
Heard = list[tuple[str, str | None, str | None]]


def made(name: str, version: int, word: str = "") -> dict[str, Any]:
    """Return an object."""
    return {"metadata": {"namespace": "shop", "name": name, "resourceVersion": str(version)}, "word": word}


def keep(document: Document) -> Document | None:
    """Keep all but what is not wanted; break on poison."""
    if document["word"] == "poison":
        raise ValueError("not understood")
    return None if document["word"] == "unwanted" else document


def cache_of(*documents: Document) -> tuple[Cache, Heard]:
    """Return a cache that a list at version 10 has filled, and what its listener hears from then on."""
    cache, heard = Cache(keep, "things"), Heard()
    cache.begin("10")
    for document in documents:
        cache.take(document)
    cache.settle({("shop", document["metadata"]["name"]) for document in documents}, "10")
    cache.subscribe(lambda name, before, now: heard.append((name[1], said(before), said(now))))
    return cache, heard


def said(document: Document | None) -> str | None:
    """Return the word of an object, None of none."""
    return str(document["word"]) if document is not None else None


def word(cache: Cache) -> str | None:
    """Return the word of `a`, None when it is not there."""
    return said(cache.get(A))


def test_a_newer_object_takes_the_place_of_an_older() -> None:
    """And whoever listens hears of both."""
    cache, heard = cache_of(made("a", 5, "one"))

    cache.take(made("a", 11, "two"))

    assert word(cache) == "two"
    assert heard == [("a", "one", "two")]


def test_an_older_object_does_not_take_the_place_of_a_newer() -> None:
    """The stream comes after the answer of one's own write."""
    cache, heard = cache_of(made("a", 5, "one"))

    cache.put(made("a", 12, "mine"))
    cache.take(made("a", 11, "two"))
    cache.take(made("a", 12, "mine"))

    assert word(cache) == "mine"
    assert heard == [("a", "one", "mine")]


def test_an_old_deletion_does_not_take_out_what_was_made_since() -> None:
    """Deleted by somebody, made again by us, and then the stream tells of the deletion."""
    cache, _ = cache_of(made("a", 5, "one"))

    cache.put(made("a", 12, "again"))
    cache.forget(A, age=11)

    assert word(cache) == "again"


def test_an_answer_older_than_a_deletion_does_not_bring_it_back() -> None:
    """Whether the stream told of it, or a 404 did."""
    cache, heard = cache_of(made("a", 5, "one"))
    cache.forget(A, age=11)

    cache.put(made("a", 11, "late"))
    cache.take(made("a", 9, "later"))

    assert word(cache) is None
    assert heard == [("a", "one", None)]


def test_an_answer_of_what_the_stream_never_told_as_there_is_gone() -> None:
    """It was made and deleted, and the stream has told of everything up to version 20."""
    cache, _ = cache_of()
    cache.reached("20")

    cache.put(made("a", 15, "long on its way"))
    assert word(cache) is None
    cache.put(made("a", 21, "new"))

    assert word(cache) == "new"


def test_what_is_not_listed_is_gone() -> None:
    """Unless it was made after the list."""
    cache, heard = cache_of(made("a", 5), made("b", 6))
    cache.put(made("c", 31))

    cache.begin("30")
    cache.take(made("b", 6))
    cache.settle({("shop", "b")}, "30")

    assert sorted(cache.names()) == [("shop", "b"), ("shop", "c")]
    assert [name for name, _, now in heard if now is None] == ["a"]


def test_a_cluster_that_went_back_is_believed() -> None:
    """A list that is older than memory is right: a backup was restored, and versions count anew."""
    cache, _ = cache_of(made("a", 5, "one"), made("b", 6))
    cache.take(made("a", 90, "late"))
    cache.forget(("shop", "c"), age=95)
    cache.reached("95")

    assert cache.begin("50")
    cache.take(made("a", 40, "backup"))
    cache.take(made("c", 41))
    cache.settle({A, ("shop", "c")}, "50")

    assert word(cache) == "backup"
    assert sorted(cache.names()) == [A, ("shop", "c")]
    cache.take(made("a", 51, "after"))
    assert word(cache) == "after"


def test_what_is_not_wanted_any_more_goes_and_can_come_back() -> None:
    """Let go by hand, or because a newer version is none that is kept."""
    cache, heard = cache_of(made("a", 5, "one"))
    cache.drop(A)
    cache.admit(made("a", 5, "one"))
    cache.take(made("a", 11, "unwanted"))
    cache.put(made("a", 11, "late"))
    cache.take(made("a", 12, "back"))

    assert heard == [("a", "one", None), ("a", None, "one"), ("a", "one", None), ("a", None, "back")]


def test_a_second_telling_of_a_version_is_no_news() -> None:
    """A list after a broken watch tells of everything again."""
    cache, heard = cache_of(made("a", 5, "one"))

    cache.take(made("a", 5, "one"))

    assert heard == []


def test_what_is_not_understood_is_left_out_and_counted() -> None:
    """Also where an older version was understood: that is not what there is now."""
    cache, heard = cache_of(made("a", 5, "one"))

    with structlog.testing.capture_logs() as logs:
        cache.take(made("a", 11, "poison"))

    assert (word(cache), cache.failures) == (None, 1)
    assert heard == [("a", "one", None)]
    assert [(entry["event"], entry["name"]) for entry in logs] == [("object not understood", "shop/a")]


def test_a_listener_that_fails_is_counted_and_hides_nothing() -> None:
    """The others hear, and the object is there."""
    cache, _ = cache_of()
    heard: list[Name] = []

    def fails(*_: object) -> None:
        raise ValueError("no")

    cache.subscribe(fails)
    cache.subscribe(lambda name, *_: heard.append(name))

    with structlog.testing.capture_logs():
        cache.take(made("a", 11, "one"))

    assert (word(cache), cache.failures, heard) == ("one", 1, [A])


def test_so_many_deletions_are_remembered() -> None:
    """The oldest is forgotten first; by then the stream has told of what was before it."""
    cache, _ = cache_of()
    for number in range(MOST_GONE + 1):
        cache.forget(("shop", str(number)), age=20 + number)

    cache.take(made("0", 20))
    cache.take(made("1", 21))

    assert cache.names() == [("shop", "0")]

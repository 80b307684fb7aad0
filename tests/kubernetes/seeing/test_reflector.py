"""A reflector on a real API server that nothing is wrong with."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from rollout.kube.api import KubeApi
from rollout.kube.reflector import Reflector
from rollout.kube.resources import Document, Resource, version_of
from tests.kubernetes.proxy import Proxy
from tests.kubernetes.seeing.shelf import CONFIG_MAPS, QUICK, Shelf, words
from tests.waiting import until


async def test_what_is_there_is_seen_page_by_page(api: KubeApi, shelf: Shelf) -> None:
    """Seven objects in pages of two, all there when `start` returns."""
    for number in range(7):
        shelf.lay(f"n{number}", str(number))
    reflector = shelf.watched(api, replace(QUICK, page=2))

    await reflector.start()

    assert {f"n{number}": str(number) for number in range(7)}.items() <= words(reflector).items()
    assert reflector.synced
    assert reflector.live
    await reflector.aclose()


async def test_changes_are_seen(api: KubeApi, shelf: Shelf) -> None:
    """What is made, changed and deleted after the list."""
    shelf.lay("a", "one")
    reflector = shelf.watched(api)
    await reflector.start()

    shelf.lay("a", "two")
    shelf.lay("b", "one")
    await until(lambda: words(reflector).items() >= {"a": "two", "b": "one"}.items())
    shelf.take("a")

    await until(lambda: "a" not in words(reflector))
    await reflector.aclose()


async def test_no_change_is_lost_or_told_twice_while_watches_are_renewed(
    far: KubeApi, proxy: Proxy, shelf: Shelf
) -> None:
    """A watch that ended by itself goes on where it was."""
    reflector = shelf.watched(far, replace(QUICK, renew_seconds=1.0))
    told: list[str] = []
    reflector.subscribe(lambda name, _before, now: told.append(now["word"] if now and name[1] == "a" else ""))
    await reflector.start()
    began, number = proxy.connections, 0

    while proxy.connections < began + 3:
        number += 1
        shelf.lay("a", str(number))
        await until(lambda word=str(number): word in told)  # type: ignore[misc]

    assert [word for word in told if word] == [str(n) for n in range(1, number + 1)]
    assert reflector.problem == ""
    await reflector.aclose()


async def test_a_change_between_list_and_watch_is_seen(api: KubeApi, shelf: Shelf) -> None:
    """The watch begins where the list ended, not where time is by then."""

    class Between(KubeApi):
        """Lets somebody change the shelf after the list."""

        async def watch(
            self, resource: Resource, *, namespace: str = "", name: str = "", since: str, seconds: float
        ) -> AsyncGenerator[tuple[str, Document], None]:
            """Change it, then watch."""
            shelf.lay("a", "two")
            shelf.lay("b", "new")
            shelf.take("c")
            async for event in super().watch(resource, namespace=namespace, name=name, since=since, seconds=seconds):
                yield event

    for name in "ac":
        shelf.lay(name, "one")
    door = Between(shelf.cluster.configuration(), lambda: 0.5)
    reflector = shelf.watched(door)

    await reflector.start()

    await until(lambda: (words(reflector).get("a"), words(reflector).get("b")) == ("two", "new"))
    await until(lambda: "c" not in words(reflector))
    await reflector.aclose()
    await door.aclose()


async def test_an_answer_of_ones_own_is_there_at_once_and_stays(api: KubeApi, shelf: Shelf) -> None:
    """The stream's older events do not bring back what was before, should they come after it."""
    shelf.lay("a", "one")
    reflector = shelf.watched(api)
    await reflector.start()
    seen: list[str] = []
    reflector.subscribe(lambda _name, _before, now: seen.append(now["word"] if now else "gone"))
    shelf.lay("a", "two")
    answer = await api.patch(
        CONFIG_MAPS, shelf.namespace, "a", [{"op": "replace", "path": "/data/word", "value": "three"}]
    )

    reflector.put(answer)

    assert words(reflector)["a"] == "three"
    shelf.lay("b", "last")
    await until(lambda: "b" in words(reflector))
    assert seen[seen.index("three") :] == ["three", "last"]
    await reflector.aclose()


async def test_an_old_answer_does_not_bring_back_what_is_gone(api: KubeApi, shelf: Shelf) -> None:
    """An answer that was long on its way, of an object that was deleted meanwhile."""
    old = shelf.lay("a", "one")
    shelf.lay("b", "one")
    reflector = shelf.watched(api)
    await reflector.start()
    shelf.take("a")
    await until(lambda: "a" not in words(reflector))

    reflector.put(old)

    assert "a" not in words(reflector)
    await reflector.aclose()


async def test_an_object_made_again_under_its_name_is_the_new_one(api: KubeApi, shelf: Shelf) -> None:
    """Deleted and made again, in one breath."""
    old = shelf.lay("a", "one")
    reflector = shelf.watched(api)
    await reflector.start()

    shelf.take("a")
    new = shelf.lay("a", "again")

    await until(lambda: words(reflector).get("a") == "again")
    reflector.put(old)
    kept = reflector.get(shelf.namespace, "a")
    assert kept is not None
    assert version_of(kept) == version_of(new)
    await reflector.aclose()


async def test_only_what_is_kept_is_in_memory(api: KubeApi, shelf: Shelf) -> None:
    """Of an object with much in it, nothing but the fields that `keep` took."""
    shelf.lay("a", "one", more={"ballast": "x" * 100_000})
    reflector = shelf.watched(api)

    await reflector.start()

    kept = reflector.get(shelf.namespace, "a")
    assert kept is not None
    assert set(kept) == {"metadata", "word"}
    assert set(kept["metadata"]) == {"name", "namespace", "resourceVersion"}
    await reflector.aclose()


async def test_what_must_not_be_read_is_said(shelf: Shelf) -> None:
    """Somebody without any right: never synced, and the problem says why."""
    door = KubeApi(shelf.cluster.configuration("somebody-token"), lambda: 0.5)
    reflector: Reflector = shelf.watched(door)

    await reflector.start(patience_seconds=0.2)

    await until(lambda: "403" in reflector.problem)
    assert not reflector.synced
    assert not reflector.fresh
    await reflector.aclose()
    await door.aclose()

"""A store follows the files of a folder, and a folder in trouble takes nothing away."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from rollout.errors import Problem, Unavailable
from rollout.manifests.folder import FolderOptions, ManifestFolder
from rollout.ports import Key
from rollout.spec.resource import PolicyRef
from tests.fakes.store import FakeStore

CHECKOUT, SEARCH = Key("shop", "checkout"), Key("shop", "search")
POLICY = "kind: ClusterRolloutPolicy\napiVersion: rollout.dev/v1alpha1\nmetadata: {name: careful}\nspec: {}\n"


def manifest(name: str = "checkout", *, weight: int = 5, more: str = "") -> str:
    """Return the text of a good Rollout."""
    return f"""\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{name: {name}, namespace: shop}}
spec:
  routes: [{{kind: EnvoyRoute, name: {name}}}]
  backends: {{stable: {{name: v1}}, canary: {{name: v2}}}}
  steps: [{{weight: {weight}, hold: 2m}}]
{more}"""


class Desk:
    """A folder, the store that follows it, and what was reported."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "manifests"
        self.path.mkdir()
        self.store = FakeStore()
        self.told: list[Problem] = []
        self.folder = self.opened()

    def opened(self) -> ManifestFolder:
        """Return a new watcher of the folder, as after a restart."""
        options = FolderOptions(interval_seconds=0.02, settle_seconds=0.01)
        return ManifestFolder(self.path, self.store, report=self._report, options=options)

    def _report(self, problems: Sequence[Problem]) -> None:
        self.told += problems

    def write(self, name: str, text: str) -> None:
        """Write a file, and the folders above it."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    async def settle(self) -> None:
        """Look as often as it takes until what is there now counts."""
        await self.folder.look()
        await self.folder.look()

    def keys(self) -> list[Key]:
        """Return the Rollouts that are to stay."""
        return sorted(self.store.sources())

    def generation(self, key: Key = CHECKOUT) -> int:
        """Return the generation of a Rollout, 0 when there is none."""
        found = self.store.read(key)
        return 0 if found is None else found.generation


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return an empty folder and an empty store."""
    return Desk(tmp_path)


async def test_rollouts_and_policies_are_taken_from_all_files(desk: Desk) -> None:
    """YAML with several documents, JSON, and files in folders."""
    desk.write("a.yaml", f"{manifest()}---\n{POLICY}")
    desk.write("team/b.yml", manifest("search"))
    desk.write("c.json", '{"kind": "Rollout", "apiVersion": "rollout.dev/v1alpha1", "metadata": {"name": "mail"}}')
    await desk.settle()

    assert desk.store.sources() == {CHECKOUT: "a.yaml", SEARCH: "team/b.yml", Key("default", "mail"): "c.json"}
    assert desk.store.policy(PolicyRef(kind="ClusterRolloutPolicy", name="careful"), "shop") is not None
    assert desk.store.policy_sources() == {("ClusterRolloutPolicy", "", "careful"): "a.yaml"}


async def test_other_files_are_not_read(desk: Desk) -> None:
    """Other endings, and names that begin with a dot, as editors and mounted ConfigMaps make them."""
    for name in ("README.md", ".a.yaml", "..data/a.yaml", ".git/a.yaml", "a.yaml~"):
        desk.write(name, manifest())
    await desk.settle()

    assert desk.keys() == []
    assert desk.folder.problems == ()


async def test_documents_of_others_are_left_alone(desk: Desk) -> None:
    """A Deployment in the same folder is nobody's problem."""
    desk.write("a.yaml", f"{manifest()}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: x}}\n")
    await desk.settle()

    assert desk.keys() == [CHECKOUT]
    assert desk.folder.problems == ()


async def test_a_file_that_is_still_being_written_is_not_read(desk: Desk) -> None:
    """Only what two looks saw the same is taken."""
    desk.write("a.yaml", manifest(weight=5))
    await desk.folder.look()
    desk.write("a.yaml", manifest(weight=10))
    await desk.folder.look()
    in_between = desk.keys()
    await desk.folder.look()

    assert in_between == []
    assert desk.generation() == 1


async def test_a_changed_file_changes_the_rollout(desk: Desk) -> None:
    """Once for each change."""
    desk.write("a.yaml", manifest(weight=5))
    await desk.settle()
    desk.write("a.yaml", manifest(weight=10))
    await desk.settle()
    await desk.settle()

    assert desk.generation() == 2


async def test_a_file_that_is_gone_takes_its_rollout_along(desk: Desk) -> None:
    """When two looks did not find it; the policy in it goes, too."""
    desk.write("a.yaml", f"{manifest()}---\n{POLICY}")
    desk.write("b.yaml", manifest("search"))
    await desk.settle()
    (desk.path / "a.yaml").unlink()
    await desk.folder.look()
    after_one = desk.keys()
    await desk.folder.look()

    assert after_one == [CHECKOUT, SEARCH]
    assert desk.keys() == [SEARCH]
    assert desk.store.policy_sources() == {}


async def test_a_file_that_is_replaced_takes_nothing_away(desk: Desk) -> None:
    """An editor that removes and writes again is not a deletion."""
    desk.write("a.yaml", manifest())
    await desk.settle()
    (desk.path / "a.yaml").unlink()
    await desk.folder.look()
    desk.write("a.yaml", manifest(weight=10))
    await desk.settle()

    assert desk.keys() == [CHECKOUT]
    assert desk.generation() == 2


async def test_a_rollout_that_moves_to_another_file_stays(desk: Desk) -> None:
    """A renamed file is no deletion."""
    desk.write("a.yaml", manifest())
    await desk.settle()
    (desk.path / "a.yaml").rename(desk.path / "z.yaml")
    await desk.settle()
    await desk.settle()

    assert desk.store.sources() == {CHECKOUT: "z.yaml"}
    assert desk.generation() == 1


async def test_a_document_that_is_taken_out_of_a_file_is_gone(desk: Desk) -> None:
    """What is left in the file stays."""
    desk.write("a.yaml", f"{manifest()}---\n{manifest('search')}")
    await desk.settle()
    desk.write("a.yaml", manifest("search"))
    await desk.settle()

    assert desk.keys() == [SEARCH]


@pytest.mark.parametrize(
    ("broken", "line", "said"),
    [
        (manifest(weight=10) + "steps: [", 8, "is not YAML"),
        (manifest(weight=10).replace("name: checkout, ", "", 1), 3, "metadata.name"),
        (manifest(weight=10) + "---\n- just a list\n", 9, "mapping"),
        (manifest(weight=10) + "kind: Rollout\n", 8, "given twice"),
        ("x: " + "y" * 1024 * 1024, 0, "too large"),
    ],
)
async def test_a_file_that_cannot_be_read_leaves_the_last_good_version(
    desk: Desk, broken: str, line: int, said: str
) -> None:
    """The problem names file and line, once; it is gone when the file is good again."""
    desk.write("a.yaml", f"{manifest()}---\n{manifest('search')}")
    await desk.settle()
    desk.write("a.yaml", broken)
    await desk.settle()
    await desk.settle()
    told = list(desk.told)
    kept = desk.keys(), desk.generation()
    desk.write("a.yaml", manifest(weight=20))
    await desk.settle()

    assert kept == ([CHECKOUT, SEARCH], 1)
    assert [(problem.source, problem.line) for problem in told] == [(str(desk.path / "a.yaml"), line)]
    assert said in str(told[0])
    assert desk.folder.problems == ()
    assert (desk.keys(), desk.generation()) == ([CHECKOUT], 2)


async def test_a_file_that_is_no_text_is_told_with_its_line(desk: Desk) -> None:
    """Bytes that are not UTF-8."""
    (desk.path / "a.yaml").write_bytes(manifest().encode() + b"# caf\xe9\n")
    await desk.settle()

    assert [str(problem) for problem in desk.told] == [
        f"{desk.path}/a.yaml:8: is not text (given: byte 0xe9); allowed: UTF-8"
    ]


async def test_a_file_that_is_broken_at_a_restart_deletes_nothing(desk: Desk) -> None:
    """What came from it before is still wanted, as far as anybody knows."""
    desk.write("a.yaml", manifest())
    desk.write("b.yaml", manifest("search"))
    await desk.settle()
    desk.write("a.yaml", "spec: [")
    desk.folder = desk.opened()
    await desk.settle()
    await desk.settle()

    assert desk.keys() == [CHECKOUT, SEARCH]


async def test_what_vanished_while_nobody_looked_is_deleted(desk: Desk) -> None:
    """A restart notices; what did not come from a file stays."""
    desk.write("a.yaml", manifest())
    desk.write("b.yaml", manifest("search"))
    await desk.settle()
    await desk.store.apply(
        {"kind": "Rollout", "metadata": {"name": "by-hand", "namespace": "shop"}, "spec": {}}, source=""
    )
    (desk.path / "a.yaml").unlink()
    desk.folder = desk.opened()
    await desk.settle()

    assert desk.keys() == [Key("shop", "by-hand"), SEARCH]


async def test_a_wrong_field_is_told_with_its_line_and_handed_on(desk: Desk) -> None:
    """The controller needs to know of the Rollout in order to say that it is invalid."""
    desk.write("a.yaml", manifest(weight=300))
    await desk.settle()

    assert desk.keys() == [CHECKOUT]
    assert [(p.line, p.field, p.given) for p in desk.told] == [(7, "spec.steps[0].weight", "300")]


async def test_a_policy_in_another_file_is_not_a_problem(desk: Desk) -> None:
    """A Rollout may name a policy of another file."""
    desk.write("a.yaml", manifest(more="  policy: {kind: ClusterRolloutPolicy, name: careful}\n"))
    desk.write("b.yaml", POLICY)
    await desk.settle()

    assert desk.told == []


async def test_the_same_name_in_two_files_is_told_with_both(desk: Desk) -> None:
    """The first one stays in force, also when the other comes before it in the alphabet."""
    desk.write("b.yaml", manifest(weight=5))
    await desk.settle()
    desk.write("a.yaml", manifest(weight=10))
    await desk.settle()
    told, kept = list(desk.told), desk.store.sources()
    (desk.path / "b.yaml").unlink()
    await desk.settle()
    await desk.settle()

    assert kept == {CHECKOUT: "b.yaml"}
    assert "; ".join(map(str, told)) == (
        f"{desk.path}/a.yaml:3: metadata.name: is taken by {desk.path}/b.yaml:3, which stays in force "
        "(given: Rollout shop/checkout); allowed: each name in one file"
    )
    assert desk.store.sources() == {CHECKOUT: "a.yaml"}
    assert desk.generation() == 2


async def test_a_missing_folder_deletes_nothing(desk: Desk) -> None:
    """It is told once, and when it is back all goes on."""
    desk.write("a.yaml", manifest())
    await desk.settle()
    desk.path.rename(desk.path.with_name("elsewhere"))
    for _ in range(3):
        await desk.folder.look()
    told, kept = list(desk.told), desk.keys()
    desk.path.with_name("elsewhere").rename(desk.path)
    await desk.settle()

    assert kept == [CHECKOUT]
    assert [str(problem) for problem in told] == [
        f"{desk.path}: the folder of manifests cannot be read: No such file or directory; nothing is deleted"
    ]
    assert desk.folder.problems == ()


async def test_another_and_empty_folder_in_its_place_deletes_nothing(desk: Desk) -> None:
    """That is what a volume that is not mounted looks like."""
    desk.write("a.yaml", manifest())
    await desk.settle()
    desk.path.rename(desk.path.with_name("elsewhere"))
    desk.path.mkdir()
    await desk.settle()
    await desk.settle()

    assert desk.keys() == [CHECKOUT]
    assert [
        "the folder is empty; 1 that came from it are kept: Rollout shop/checkout" in str(p) for p in desk.told
    ] == [True]


async def test_an_empty_folder_at_the_start_deletes_nothing(desk: Desk) -> None:
    """Whoever empties it on purpose does so while somebody looks, or leaves one manifest."""
    desk.write("a.yaml", manifest())
    await desk.settle()
    (desk.path / "a.yaml").unlink()
    desk.folder = desk.opened()
    await desk.settle()
    await desk.settle()

    assert desk.keys() == [CHECKOUT]


async def test_a_folder_that_is_emptied_deletes_all(desk: Desk) -> None:
    """The same folder, watched all the time: the last file may go."""
    desk.write("a.yaml", manifest())
    await desk.settle()
    (desk.path / "a.yaml").unlink()
    await desk.settle()

    assert desk.keys() == []


async def test_a_store_that_fails_is_tried_again(desk: Desk) -> None:
    """What could not be kept is told, and kept later; what could not be deleted, too."""
    desk.write("a.yaml", manifest())
    desk.store.down = True
    await desk.settle()
    first = [str(problem) for problem in desk.told]
    desk.store.down = False
    await desk.folder.look()
    kept, well = desk.keys(), desk.folder.problems
    (desk.path / "a.yaml").unlink()
    await desk.folder.look()
    desk.store.down = True
    await desk.folder.look()
    desk.store.down = False
    await desk.folder.look()

    assert first == [
        f"{desk.path}/a.yaml: Rollout shop/checkout could not be kept, and is tried again: the store is down"
    ]
    assert (kept, well) == ([CHECKOUT], ())
    assert desk.keys() == []


async def test_a_rollout_that_the_store_lost_is_given_again(desk: Desk) -> None:
    """The folder says what is wanted, whatever became of it."""
    desk.write("a.yaml", manifest())
    await desk.settle()
    await desk.settle()
    await desk.store.mark_deleting(CHECKOUT)
    await desk.store.remove(CHECKOUT)
    await desk.folder.look()

    assert desk.keys() == [CHECKOUT]


async def test_it_watches_until_it_is_closed(desk: Desk) -> None:
    """What is there is taken by the start, what comes later by itself."""
    desk.write("a.yaml", manifest())
    await desk.folder.start()
    at_start = desk.keys()
    came = asyncio.Event()
    desk.store.subscribe(lambda _: came.set())
    desk.write("b.yaml", manifest("search"))
    await asyncio.wait_for(came.wait(), 5)
    await desk.folder.aclose()

    assert at_start == [CHECKOUT]
    assert desk.keys() == [CHECKOUT, SEARCH]


async def test_a_start_without_folder_and_without_rollouts_is_refused(desk: Desk) -> None:
    """A wrong path is told at once; with Rollouts to look after it is only reported."""
    desk.path.rmdir()
    with pytest.raises(Unavailable, match=r"manifests: the folder of manifests cannot be read"):
        await desk.folder.start()
    await desk.store.apply({"kind": "Rollout", "metadata": {"name": "a"}}, "a.yaml")
    await desk.folder.start()
    await desk.folder.aclose()

    assert len(desk.told) == 1


async def test_what_cannot_be_listed_stops_deletions(desk: Desk) -> None:
    """A link that leads to itself is told; nobody knows what lies behind it. A link to nowhere is nothing."""
    desk.write("a.yaml", manifest())
    desk.write("b.yaml", manifest("search"))
    await desk.settle()
    (desk.path / "loop.yaml").symlink_to("loop.yaml")
    (desk.path / "nowhere.yaml").symlink_to("missing.yaml")
    (desk.path / "a.yaml").unlink()
    await desk.settle()
    kept, told = desk.keys(), [str(problem) for problem in desk.folder.problems]
    (desk.path / "loop.yaml").unlink()
    await desk.settle()

    assert kept == [CHECKOUT, SEARCH]
    assert told == [f"{desk.path}/loop.yaml: cannot be read; nothing is deleted meanwhile"]
    assert desk.keys() == [SEARCH]

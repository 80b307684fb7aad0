"""Applying a Rollout over the API: what is stored, what is refused, and what comes of a start with it."""

import asyncio
from typing import Any

import pytest

from rollout.engine.table import Phase
from rollout.errors import Unavailable
from tests.api.world import VIEWER, WEB, World, manifest, world
from tests.contracts.builders import policy_document

PATH = "/api/v1/rollouts/shop/web"


async def _put(api: World, query: str = "", *, document: object = None, **headers: str) -> Any:  # noqa: ANN401 - JSON
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.ask("PUT", f"{PATH}{query}", json=document or manifest(), headers=given)


async def test_a_new_rollout_is_created() -> None:
    """The first apply makes the Rollout, and answers it as it is stored, with its version."""
    async with world() as api:
        reply = await api.apply()

    assert (reply.status, reply.json["outcome"], reply.json["dryRun"]) == (201, "created", False)
    assert reply.json["resource"]["metadata"]["generation"] == 1
    assert "ETag" in reply.headers


async def test_the_same_again_changes_nothing() -> None:
    """What is stored already is unchanged; something else is a change, of labels, too."""
    async with world() as api:
        await api.standing()
        same = await _put(api)
        other = await api.apply(revision="2")
        labelled = {**manifest(revision="2"), "metadata": {"name": "web", "labels": {"tier": "gold"}}}
        with_label = await _put(api, document=labelled)

    assert [reply.json["outcome"] for reply in (same, other, with_label)] == ["unchanged", "changed", "changed"]
    assert [reply.status for reply in (same, other, with_label)] == [200, 200, 200]


async def test_what_was_read_can_be_applied() -> None:
    """A resource as the API answers it is a manifest: its status and what the server gave mean nothing."""
    async with world() as api:
        await api.standing()
        read = (await api.ask("GET", PATH)).json
        again = await _put(api, document=read)
        stored = api.store.read(WEB)

    assert again.json["outcome"] == "unchanged"
    assert stored is not None
    assert "status" not in stored.document


async def test_yaml_is_taken_like_json() -> None:
    """The body may be YAML; an absent namespace is that of the path."""
    text = """
    kind: Rollout
    metadata: {name: web}
    spec:
      routes: [{kind: EnvoyRoute, name: web}]
      backends: {stable: {name: web-v1}, canary: {name: web-v2}}
      steps: [{weight: 10, hold: 1m}]  # the first and last
    """
    async with world() as api:
        reply = await api.ask("PUT", PATH, data=text, headers={"Content-Type": "application/yaml; charset=utf-8"})

    assert reply.status == 201, reply.content
    assert reply.json["resource"]["metadata"]["namespace"] == "shop"


async def test_everything_that_is_wrong_is_told_and_nothing_stored() -> None:
    """A manifest with errors is refused with each of them: field, what was given, what is allowed."""
    async with world() as api:
        reply = await api.apply(steps=[{"weight": 300}], precision=1, colour="blue")
        stored = api.store.read(WEB)

    assert reply.status == 422
    assert {item["field"]: (item["given"], item["allowed"]) for item in reply.json["problems"]} == {
        "spec.colour": ('"blue"', reply.json["problems"][-1]["allowed"]),
        "spec.precision": ("1", "a whole number from 2 to 1000000"),
        "spec.steps[0].weight": ("300", "a number from 0 to 100"),
    }
    assert stored is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "RolloutPolicy"}, "kind"),
        ({"kind": None}, "kind"),
        ({"metadata": {"name": "other", "namespace": "shop"}}, "metadata.name"),
        ({"metadata": {"name": "web", "namespace": "post"}}, "metadata.namespace"),
        ({"metadata": None}, "metadata.name"),
        ({"metadata": {"name": 5}}, "metadata.name"),
    ],
)
async def test_the_body_says_what_the_path_says(change: dict[str, object], field: str) -> None:
    """Another kind, name or namespace than the path's is refused, and the problem names the field."""
    async with world() as api:
        reply = await _put(api, document={**manifest(), **change})

    assert reply.status == 422
    assert [item["field"] for item in reply.json["problems"]] == [field]


async def test_what_the_runtime_lacks_is_refused() -> None:
    """A kind of route that this runtime does not have is an error before anything is stored."""
    async with world() as api:
        reply = await api.apply(routes=[{"kind": "HTTPRoute", "name": "web"}])
        stored = api.store.read(WEB)

    assert reply.status == 422
    assert reply.json["problems"][0] == {
        "field": "spec.routes[0].kind",
        "message": "this runtime has no HTTPRoute",
        "given": "",
        "allowed": "EnvoyRoute",
    }
    assert stored is None


async def test_a_policy_that_is_not_there_yet_is_warned_of() -> None:
    """The Rollout is stored and waits for its policy; what is wrong whatever the policy says is still an error."""
    later = {"kind": "RolloutPolicy", "name": "later"}
    async with world() as api:
        taken = await api.apply(policy=later, steps=None)
        await api.until_phase(Phase.INVALID)
        refused = await api.apply(policy=later, precision=1)

    assert (taken.status, len(taken.json["warnings"])) == (201, 1)
    assert "RolloutPolicy later does not exist yet" in taken.json["warnings"][0]
    assert (refused.status, refused.json["problems"][0]["field"]) == (422, "spec.precision")


async def test_a_rollout_is_checked_with_its_policy() -> None:
    """What the policy makes wrong is told with the policy's name; what advice says comes as a warning."""
    policy = policy_document("house", kind="RolloutPolicy", precision=5, steps=[{"weight": 300}])
    ref = {"kind": "RolloutPolicy", "name": "house"}
    async with world() as api:
        await api.store.apply_policy(policy)
        refused = await api.apply(policy=ref, steps=None)
        warned = await api.apply()

    assert refused.status == 422
    assert any(item["field"].startswith("RolloutPolicy shop/house: ") for item in refused.json["problems"])
    assert any("judges nothing" in warning for warning in warned.json["warnings"])


async def test_a_dry_run_shows_the_effective_rollout_and_writes_nothing() -> None:
    """It answers what an apply would make, policy and defaults merged in, and the store stays as it was."""
    policy = policy_document("house", kind="RolloutPolicy", steps=[{"weight": 25, "hold": "90s"}])
    async with world() as api:
        await api.store.apply_policy(policy)
        document = manifest(policy={"kind": "RolloutPolicy", "name": "house"}, steps=None)
        tried = await _put(api, "?dryRun=true", document=document)
        stored = api.store.read(WEB)
        await api.standing()
        again = await _put(api, "?dryRun=true")

    assert (tried.status, tried.json["outcome"], tried.json["dryRun"]) == (200, "created", True)
    assert tried.json["resource"]["spec"]["steps"][0]["hold"] == "1m30s"
    assert tried.json["resource"]["spec"]["drift"] == "Correct"
    assert stored is None
    assert again.json["outcome"] == "unchanged"


async def test_a_start_comes_with_the_apply() -> None:
    """A Rollout can be made and started in one call, also when nobody has looked at it before."""
    async with world() as api:
        reply = await _put(api, "?start=7&reason=because&commandId=one")
        stored = api.state()

    assert reply.status == 201
    assert reply.json["command"]["state"] == "done"
    assert reply.json["command"]["id"] == "one"
    assert reply.json["resource"]["status"]["phase"] == "Progressing"
    assert "by olga (because)" in stored.transitions[-1].message


async def test_a_refused_start_leaves_what_was_applied() -> None:
    """The answer says both: that the manifest was stored, and why nothing was started."""
    async with world() as api:
        await api.under_way()
        reply = await _put(api, "?start=2", document=manifest(precision=200))

    assert (reply.status, reply.json["outcome"]) == (200, "changed")
    assert (reply.json["command"]["state"], reply.json["command"]["reason"]) == ("refused", "RevisionAlreadyAtWork")


async def test_a_start_behind_a_waiting_command_is_refused() -> None:
    """The manifest is stored, and the command that waits is named."""
    async with world(controlling=False) as api:
        await api.apply()
        await api.command("pause", wait="0", id="first")
        reply = await _put(api, "?start=2")

    assert reply.status == 200
    assert reply.json["command"]["reason"] == "AnotherCommandWaits"
    assert "pause (first)" in reply.json["command"]["message"]


async def test_a_start_that_may_have_been_left_is_not_called_refused() -> None:
    """When the store fails between manifest and start, the answer is 503 and says that the manifest is stored."""
    async with world(controlling=False) as api:
        await api.apply()
        api.faults.fail_after(Unavailable("the disk is slow"))
        reply = await _put(api, "?start=2")

    assert reply.status == 503
    assert reply.json["detail"].startswith("Rollout shop/web was applied; whether its start")


@pytest.mark.parametrize(
    ("query", "field"),
    [("?start=2&dryRun=true", "start"), ("?reason=why", "reason"), ("?commandId=one", "commandId")],
)
async def test_wishes_must_go_together(query: str, field: str) -> None:
    """A start of a dry run, and a reason or id without a start, are refused instead of left out."""
    async with world() as api:
        reply = await _put(api, query)
        stored = api.store.read(WEB)

    assert (reply.status, reply.json["problems"][0]["field"]) == (422, field)
    assert stored is None


async def test_a_file_speaks_louder_than_an_apply() -> None:
    """A Rollout of a manifest file is changed in that file, which the refusal names; trying is refused, too."""
    async with world() as api:
        await api.store.apply(manifest(), "/etc/rollouts/web.yaml")
        replies = [await _put(api, query, document=manifest(revision="9")) for query in ("", "?dryRun=true")]

    assert [reply.status for reply in replies] == [409, 409]
    assert "/etc/rollouts/web.yaml" in replies[0].json["detail"]


async def test_if_match_lets_only_the_known_version_be_changed() -> None:
    """The version that was read may be changed, in quotes or without; an older one, a weak one or none may not."""
    async with world(controlling=False) as api:
        etag = (await api.apply()).headers["ETag"]
        wrong = [
            await _put(api, document=manifest(revision="2"), If_Match=given)
            for given in ('"other"', f"W/{etag}", '"a", "b"')
        ]
        right = await _put(api, document=manifest(revision="3"), If_Match=f'"other", {etag}')
        bare = await _put(api, document=manifest(revision="4"), If_Match=right.headers["ETag"].strip('"'))
        whatever = await _put(api, document=manifest(revision="5"), If_Match="*")

    assert [reply.status for reply in wrong] == [412, 412, 412]
    assert [reply.json["outcome"] for reply in (right, bare, whatever)] == ["changed"] * 3


async def test_if_match_of_nothing_is_refused() -> None:
    """What does not exist has no version, and is not made under If-Match."""
    async with world() as api:
        replies = [await _put(api, If_Match=given) for given in ("*", '"1"')]
        stored = api.store.read(WEB)

    assert [reply.status for reply in replies] == [412, 412]
    assert stored is None


async def test_if_none_match_only_makes() -> None:
    """If-None-Match: * makes a Rollout, and changes none that is there."""
    async with world() as api:
        made = await _put(api, If_None_Match="*")
        again = await _put(api, document=manifest(revision="2"), If_None_Match="*")

    assert (made.status, again.status) == (201, 412)


async def test_a_change_at_the_same_moment_is_noticed() -> None:
    """When the version changes between look and write, the store refuses, and the caller is told 412."""
    async with world(controlling=False) as api:
        etag = (await api.apply()).headers["ETag"]
        replies = await asyncio.gather(
            *(_put(api, document=manifest(revision=str(number)), If_Match=etag) for number in range(5))
        )

    assert sorted(reply.status for reply in replies) == [200, 412, 412, 412, 412]


async def test_of_many_at_once_one_has_made_it() -> None:
    """Applies of the same new Rollout take turns: one says created, the others that nothing changed."""
    async with world() as api:
        replies = await asyncio.gather(*(api.apply() for _ in range(8)))

    assert sorted(reply.json["outcome"] for reply in replies) == ["created"] + ["unchanged"] * 7


async def test_a_rollout_that_is_being_deleted_comes_back() -> None:
    """Applied again while it is being deleted, it stays, and that is a change."""
    async with world(controlling=False) as api:
        await api.apply()
        await api.ask("DELETE", PATH)
        reply = await api.apply()
        stored = api.store.read(WEB)

    assert reply.json["outcome"] == "changed"
    assert stored is not None
    assert not stored.deleting


async def test_a_viewer_applies_nothing() -> None:
    """Who may only look is refused before the body is looked at, also in a dry run."""
    async with world() as api:
        reply = await api.ask("PUT", f"{PATH}?dryRun=true", token=VIEWER, data=b"{")

    assert reply.status == 403


async def test_a_store_that_is_away_is_told() -> None:
    """When nothing can be written, the answer is 503 and says when to come back."""
    async with world(controlling=False) as api:
        api.faults.down = True
        reply = await api.apply()

    assert reply.status == 503
    assert reply.headers["Retry-After"] == "1"

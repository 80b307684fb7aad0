"""Unusual input over the API: whatever comes, the answer is a problem that says what is wrong, and never a failure."""

import json
import random
import re

import pytest
from structlog.testing import capture_logs

from tests.api.world import WEB, Reply, manifest, world

pytestmark = pytest.mark.long

WORD = re.compile(r"urn:rollout:problem:[a-z-]+")
PATHS = [
    "/api/v1/rollouts/%2e%2e/web",
    "/api/v1/rollouts/shop/..",
    "/api/v1/rollouts/shop/%2e",
    "/api/v1/rollouts/shop%2fweb",
    "/api/v1/rollouts/shop/web%2f",
    "/api/v1/rollouts/shop/web/",
    "/api/v1/rollouts//web",
    "/api/v1/rollouts/shop/web%00",
    "/api/v1/rollouts/shop/web%0a",
    "/api/v1/rollouts/shop/%ff%fe",
    "/api/v1/rollouts/shop/%ed%a0%80",
    "/api/v1/rollouts/shop/web%",
    "/api/v1/rollouts/shop/%25",
    "/api/v1/rollouts/shop/w%C3%A9b",
    f"/api/v1/rollouts/shop/{'x' * 254}",
    f"/api/v1/rollouts/shop/{'x' * 8000}",
    "/api/v1/rollouts/shop/web/commands/%2e%2e",
    "/api/v1/rollouts/shop/web/commands/one%0a",
    "/api/v1/rollouts/shop/web/history/x",
    "/api/v1/policies/shop/..",
    "/api/v1/cluster-policies/%00",
    "/api/v2/rollouts",
    "/API/V1/rollouts",
    "/openapi.json/",
    "/healthz/",
]
QUERIES = [
    ("/api/v1/rollouts?limit=0", "limit"),
    ("/api/v1/rollouts?limit=501", "limit"),
    ("/api/v1/rollouts?limit=99999999999999999999999", "limit"),
    ("/api/v1/rollouts?limit=-1", "limit"),
    ("/api/v1/rollouts?limit=1e2", "limit"),
    ("/api/v1/rollouts?limit=%ff", "limit"),
    ("/api/v1/rollouts?limit=", "limit"),
    (f"/api/v1/rollouts?limit={'9' * 6000}", "limit"),
    ("/api/v1/rollouts?full=perhaps", "full"),
    ("/api/v1/rollouts?phase=Nowhere", "phase"),
    ("/api/v1/rollouts?phase=", "phase"),
    ("/api/v1/rollouts?label=gold", "label"),
    ("/api/v1/rollouts?namespace=", "namespace"),
    ("/api/v1/rollouts?namespace=..", "namespace"),
    ("/api/v1/rollouts?continue=..", "continue"),
    (f"/api/v1/rollouts?continue={'A' * 2000}", "continue"),
    ("/api/v1/rollouts?fase=Idle", "fase"),
    ("/api/v1/rollouts/shop/web?full=true", "full"),
    ("/api/v1/rollouts/shop/web/history?before=0", "before"),
    ("/api/v1/rollouts/shop/web/history?before=9223372036854775808", "before"),
    ("/api/v1/rollouts/shop/web/history?limit=1001", "limit"),
    ("/api/v1/whoami?who=me", "who"),
    ("/healthz?x=1", "x"),
]


def _is_problem(reply: Reply) -> bool:
    view = reply.json
    return (
        400 <= reply.status < 500
        and reply.headers["Content-Type"] == "application/problem+json"
        and view["status"] == reply.status
        and WORD.fullmatch(view["type"]) is not None
        and bool(view["detail"])
    )


@pytest.mark.parametrize("path", PATHS)
async def test_an_unusual_path_is_a_problem(path: str) -> None:
    """No path leads elsewhere or fails; below names, what cannot be one is said."""
    async with world(controlling=False) as api:
        reply = await api.ask("GET", path)

    assert _is_problem(reply), (reply.status, reply.content)
    assert reply.status in {404, 422}


@pytest.mark.parametrize(("path", "field"), QUERIES)
async def test_a_wrong_parameter_is_named(path: str, field: str) -> None:
    """The problem names the parameter, and what is allowed there."""
    async with world(controlling=False) as api:
        reply = await api.ask("GET", path)

    assert reply.status == 422, reply.content
    assert [item["field"] for item in reply.json["problems"]] == [field]
    assert reply.json["problems"][0]["allowed"]


@pytest.mark.parametrize(
    "headers",
    [
        {"If-Match": ""},
        {"If-Match": '"'},
        {"If-Match": "a b"},
        {"If-Match": ",".join(['"1"'] * 21)},
        {"If-Match": "*", "If-None-Match": "*"},
        {"If-None-Match": '"1"'},
        {"If-None-Match": ""},
    ],
)
async def test_wrong_conditions_are_malformed(headers: dict[str, str]) -> None:
    """Conditions that cannot be read are 400, and nothing is written."""
    async with world(controlling=False) as api:
        reply = await api.ask("PUT", "/api/v1/rollouts/shop/web", json=manifest(), headers=headers)
        stored = api.store.read(WEB)

    assert _is_problem(reply)
    assert reply.status == 400
    assert stored is None


@pytest.mark.parametrize("method", ["PATCH", "POST", "OPTIONS", "TRACE", "FOO"])
async def test_another_method_is_told_which_are_allowed(method: str) -> None:
    """A method that a path does not have is 405, with all that it has."""
    async with world(controlling=False) as api:
        reply = await api.ask(method, "/api/v1/rollouts/shop/web")
        outside = await api.ask(method, "/healthz", token="")

    assert (reply.status, reply.headers["Allow"]) == (405, "DELETE, GET, PUT")
    assert (outside.status, outside.headers["Allow"]) == (405, "GET")
    assert _is_problem(reply)


ODD: list[object] = [
    *(
        None,
        True,
        -1,
        0,
        2**62,
        1.5,
        -0.0,
        1e300,
        "",
        " ",
        "\x00",
        "\n",
        "\u202e",
        "a" * 300,
        "\U0001f600",
        "1m",
        "50%",
    ),
    *(
        [],
        {},
        [[]],
        [None],
        {"": ""},
        {"kind": "Rollout"},
        [{"name": []}],
        {"a": {"b": {"c": [1]}}},
        "{{ backend.name }}",
    ),
]
POLICY = {
    "kind": "RolloutPolicy",
    "metadata": {"name": "house", "namespace": "shop", "labels": {"a": "b"}},
    "spec": {
        "ramp": {"from": 10, "to": 50, "by": 10, "every": "1m"},
        "analysis": {"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "10s"},
        "metrics": {"backendLabels": {"x": "y"}, "errors": {"total": "a", "bad": ["b"]}},
    },
}
SOUND: dict[str, object] = {
    "/api/v1/rollouts/shop/web": manifest(policy={"kind": "RolloutPolicy", "name": "house"}),
    "/api/v1/policies/shop/house": POLICY,
    "/api/v1/rollouts/shop/web/commands?wait=0": {"action": "start", "revision": "2", "id": "one", "reason": "why"},
}


def _spoilt(value: object, chance: random.Random) -> object:
    """Return a copy of ``value`` in which something is odd, at any depth."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        name = chance.choice(list(value))
        if chance.random() < 0.1:
            return {**value, str(chance.choice(ODD)): chance.choice(ODD)}
        return {**value, name: _spoilt(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        place = chance.randrange(len(value))
        return [*value[:place], _spoilt(value[place], chance), *value[place + 1 :]]
    return chance.choice(ODD)


async def test_no_body_ever_fails() -> None:
    """Whatever stands in a manifest, policy or command: it is taken or refused, and nothing unexpected is logged."""
    chance = random.Random(20)
    async with world() as api:
        with capture_logs() as logs:
            for _ in range(400):
                path, sound = chance.choice(list(SOUND.items()))
                body = json.dumps(_spoilt(_spoilt(sound, chance), chance))
                method = "POST" if "commands" in path else "PUT"
                reply = await api.ask(method, path, data=body, headers={"Content-Type": "application/json"})
                assert reply.status < 300 or _is_problem(reply), (path, body, reply.content)

    assert not [entry for entry in logs if entry["log_level"] in {"error", "critical"}]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json; charset*0=a; charset*=b", b"{}"),
        (f"application/json; charset*{'0' * 5000}=x", b"{}"),
        ("application/yaml", b'a: "\\UFFFFFFFF"'),
        ("application/yaml", b"%YAML 1." + b"9" * 5000 + b"\n--- a\n"),
    ],
    ids=["charset twice", "charset with a long number", "no such character", "no such version"],
)
async def test_what_parsers_choke_on_is_refused(content_type: str, body: bytes) -> None:
    """Bodies and types that break a parser's own arithmetic are a 4xx like any other."""
    async with world() as api:
        path = "/api/v1/rollouts/shop/web"
        reply = await api.ask("PUT", path, data=body, headers={"Content-Type": content_type})

    assert reply.status in {400, 415}, reply.content


async def test_a_command_may_begin_with_a_mark_of_its_order() -> None:
    """Some editors put a byte order mark before JSON; it means nothing in UTF-8."""
    async with world() as api:
        body = b"\xef\xbb\xbf" + b'{"action": "pause"}'
        path = "/api/v1/rollouts/shop/nope/commands"
        reply = await api.ask("POST", path, data=body, headers={"Content-Type": "application/json"})

    assert reply.status == 404

"""An edit changes the weights and the version, and not one byte beside them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.envoy.routefile import MAX_WEIGHT, FileRoute, RouteFile, edit, with_version
from rollout.envoy.routereader import parse
from rollout.errors import NotOursError

PLAIN = """\
# Mine. Keep the double  spaces.
version_info: "42"   # by hand
resources:
  - "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
    name: 'local_routes'
    virtual_hosts:
    - name: web
      domains: [ "*" ]     # everything
      routes:
      - name: checkout
        match: { prefix: "/" }
        route:
          weighted_clusters:
            clusters:
              - name: v1
                weight:    90    # most
              - weight: "10"
                name: v2


          timeout: 15s
          retry_policy: {retry_on: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes,reset"}
"""
FLOW = (
    "{version_info: '1', resources: [{'@type': x.RouteConfiguration, name: r, virtual_hosts: [{name: web, routes: "
    "[{name: checkout,route: {weighted_clusters: {clusters: [{name: v1,weight: 90},{weight: 10,name: v2}]}}}]}]}]}"
)
JSON = """{
\t"version_info": "1",
\t"resources": [{"@type": "x.RouteConfiguration", "name": "r", "virtual_hosts": [{"name": "web", "routes": [
\t\t{"name": "checkout", "route": {"weighted_clusters": {"clusters": [
\t\t\t{"name": "v1", "weight": 90}, {"weight" : "10", "name": "v2"}]}}}]}]}]
}"""
NASTY = {
    "plain": PLAIN,
    "crlf": PLAIN.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + PLAIN,
    "document markers": "%YAML 1.2\n---\n" + PLAIN + "...\n",
    "flow": FLOW,
    "json": JSON,
    "no newline at the end": PLAIN.rstrip("\n"),
    "other languages": PLAIN.replace("Mine", "Größe 重み 🚦"),
    "single quotes": PLAIN.replace('"42"', "'42'"),
    "plain version": PLAIN.replace('"42"', "v42"),
    "tabs in comments": PLAIN.replace("# most", "#\tmost\t"),
    "anchors elsewhere": PLAIN.replace("timeout: 15s", "timeout: &t 15s\n          idle_timeout: *t"),
}


def read(text: str) -> tuple[RouteFile, FileRoute]:
    """Return the parsed text and its route."""
    file = parse(text.encode(), "routes.yaml")
    return file, file.routes["checkout"]


def expected(text: str, *, first: int, second: int, version: str) -> str:
    """Return the text as an exact eye would edit it."""
    for old, new in (
        ("weight:    90", f"weight:    {first}"),
        ("weight: 90", f"weight: {first}"),
        ('"weight": 90', f'"weight": {first}'),
        ('weight: "10"', f'weight: "{second}"'),
        ("weight: 10", f"weight: {second}"),
        ('"weight" : "10"', f'"weight" : "{second}"'),
        ('version_info: "42"', f'version_info: "{version}"'),
        ("version_info: '42'", f"version_info: '{version}'"),
        ("version_info: v42", f"version_info: {version}"),
        ("version_info: '1'", f"version_info: '{version}'"),
        ('"version_info": "1"', f'"version_info": "{version}"'),
    ):
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("name", NASTY)
def test_every_other_byte_stays(name: str) -> None:
    """Comments, order, quotes, indentation, line ends and everything else are as they were."""
    text = NASTY[name]
    file, route = read(text)

    edited = edit(file, route, {0: {"v1": 5, "v2": 12345}}, version="new")

    assert edited.text.encode() == expected(text, first=5, second=12345, version="new").encode()


@pytest.mark.parametrize("name", NASTY)
def test_an_edited_file_needs_no_parsing(name: str) -> None:
    """What an edit returns is what parsing the new text would return."""
    file, route = read(NASTY[name])

    edited = edit(file, route, {0: {"v1": 1_000_000, "v2": 0}}, version="a-much-longer-version")

    assert edited == parse(edited.text.encode(), "routes.yaml")


@given(weights=st.lists(st.tuples(st.integers(0, MAX_WEIGHT // 2), st.integers(1, MAX_WEIGHT // 2)), max_size=6))
def test_edits_can_be_repeated(weights: list[tuple[int, int]]) -> None:
    """Any number of edits on top of each other still hit the right places."""
    file, _ = read(PLAIN)
    for first, second in weights:
        file = edit(file, file.routes["checkout"], {0: {"v1": first, "v2": second}}, version=f"n{first}")

    first, second = weights[-1] if weights else (90, 10)
    version = f"n{first}" if weights else "42"
    assert file.text == expected(PLAIN, first=first, second=second, version=version)
    assert file == parse(file.text.encode(), "routes.yaml")


def test_a_foreign_cluster_keeps_its_weight() -> None:
    """Clusters that are not named in the write are left alone."""
    file, route = read(PLAIN)

    edited = edit(file, route, {0: {"v2": 7}}, version="new")

    assert [ref.weight for ref in edited.routes["checkout"].rules[0].refs] == [90, 7]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('version_info: "42"   # by hand\n', "", PLAIN),
        ("{version_info: '1', ", "{", FLOW),
        ('{\n\t"version_info": "1",\n', "{\n", JSON),
        ('version_info: "42"   # by hand\r\n', "", PLAIN.replace("\n", "\r\n")),
    ],
)
def test_a_missing_version_becomes_the_first_entry(old: str, new: str, text: str) -> None:
    """Envoy serves a file without version too, but then nobody can read back whether it took it."""
    without = text.replace(old, new)
    line_end = "\r\n" if "\r" in text else "\n"
    added = f'version_info: "new"{line_end}' if text.startswith("#") else '"version_info": "new", '
    at = without.index("resources:") if text.startswith("#") else 1

    edited = with_version(parse(without.encode(), "routes.yaml"), version="new")

    assert edited.text == without[:at] + added + without[at:]
    assert edited == parse(edited.text.encode(), "routes.yaml")


@pytest.mark.parametrize("weights", [{"v1": 0, "v2": 0}, {"v1": MAX_WEIGHT, "v2": 1}, {"v1": -1}])
def test_impossible_weights_are_refused(weights: dict[str, int]) -> None:
    """Envoy refuses a sum of zero or above 32 bits, so it is not even tried."""
    file, route = read(PLAIN)

    with pytest.raises(ValueError, match="allowed: 1 to 4294967295"):
        edit(file, route, {0: weights}, version="new")


@pytest.mark.parametrize("weights", [{1: {"v1": 1}}, {0: {"v3": 1}}])
def test_a_rule_or_cluster_that_is_gone_is_not_ours(weights: dict[int, dict[str, int]]) -> None:
    """Nothing is added to the user's file."""
    file, route = read(PLAIN)

    with pytest.raises(NotOursError):
        edit(file, route, weights, version="new")

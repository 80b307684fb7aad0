"""What is found in an RDS file, and what is said about one that cannot be edited."""

import pytest

from rollout.envoy.routereader import parse
from rollout.errors import ConfigurationError, Problem

HEAD = """version_info: "1"
resources:
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: local_routes
  virtual_hosts:
  - name: web
    domains: ["*"]
    routes:
"""
ROUTE = """    - name: checkout
      match: {prefix: /}
      route:
        weighted_clusters:
          clusters:
          - {name: v1, weight: 90}
          - {name: v2, weight: 10}
"""


def problems_of(text: str, route: str = "checkout") -> tuple[Problem, ...]:
    """Return what keeps the route from being edited."""
    return parse(text.encode(), "routes.yaml").routes[route].problems


def error_of(text: str | bytes) -> Problem:
    """Return what keeps the whole file from being read."""
    with pytest.raises(ConfigurationError) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), "routes.yaml")
    return caught.value.problems[0]


def test_a_route_is_every_entry_of_its_name_with_weighted_clusters() -> None:
    """Two virtual hosts with an entry of the same name make one route with two rules, named after the hosts."""
    second = "  - name: api\n    domains: [api]\n    routes:\n" + ROUTE

    route = parse((HEAD + ROUTE + second).encode(), "routes.yaml").routes["checkout"]

    assert [(rule.index, rule.name) for rule in route.rules] == [(0, "web"), (1, "api")]
    assert [(ref.cluster, ref.weight) for ref in route.rules[1].refs] == [("v1", 90), ("v2", 10)]
    assert route.configurations == ("local_routes",)


def test_entries_without_name_or_weights_are_none_of_our_business() -> None:
    """Routes to a single cluster, redirects and nameless ones are not found."""
    others = """    - name: plain
      match: {prefix: /plain}
      route: {cluster: v1}
    - name: away
      match: {prefix: /away}
      redirect: {https_redirect: true}
    - match: {prefix: /nameless}
      route: {weighted_clusters: {clusters: [{name: v1, weight: 1}]}}
"""

    assert list(parse((HEAD + others + ROUTE).encode(), "routes.yaml").routes) == ["checkout"]


def test_the_json_spelling_of_fields_is_understood() -> None:
    """Envoy takes lowerCamelCase as well as snake_case."""
    text = """{"versionInfo": "7", "resources": [{"@type": "x.RouteConfiguration", "name": "r", "virtualHosts": [
      {"name": "web", "routes": [{"name": "checkout", "route": {"weightedClusters": {"clusters": [
        {"name": "v1", "weight": 1}]}}}]}]}]}"""

    file = parse(text.encode(), "routes.json")

    assert file.version.value == "7"
    assert file.routes["checkout"].rules[0].refs[0].weight == 1


def test_resources_inside_a_resource_wrapper_are_found() -> None:
    """The optional wrapper of the xDS protocol is looked through."""
    lines = HEAD.replace('- "@type"', '- "@type": envoy.service.discovery.v3.Resource\n  resource:\n    "@type"')
    head, body = lines.split("  name: local_routes\n")
    indented = "".join(f"  {line}\n" for line in ("  name: local_routes\n" + body + ROUTE).splitlines())

    assert list(parse((head + indented).encode(), "routes.yaml").routes) == ["checkout"]


def test_other_kinds_of_resources_are_passed_over() -> None:
    """A cluster in the same file is not read."""
    text = 'version_info: "1"\nresources:\n- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster\n  name: x\n'

    assert parse(text.encode(), "routes.yaml").routes == {}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("weight: 10}", "}", "15 clusters[1].weight is missing"),
        ("weight: 10}", "weight: ten}", "15 clusters[1].weight cannot be edited"),
        ("weight: 10}", "weight: 0x10}", "15 clusters[1].weight cannot be edited"),
        ("weight: 10}", "weight: 1e1}", "15 clusters[1].weight cannot be edited"),
        ("weight: 10}", "weight: -1}", "15 clusters[1].weight cannot be edited"),
        ("weight: 10}", "weight: 010}", "15 clusters[1].weight cannot be edited"),
        ("weight: 10}", "weight: 4294967296}", "15 clusters[1].weight cannot be edited"),
        ("weight: 10}", "weight: {value: 10}}", "15 clusters[1].weight cannot be edited"),
        ("weight: 10}", "weight: &ten 10}", "15 clusters[1].weight cannot be edited"),
        ("weight: 10}", "weight: !!int 10}", "15 clusters[1].weight cannot be edited"),
        ("name: v2", "name: v1", "13 clusters names v1 twice"),
        ("          clusters:", "          total_weight: 100\n          clusters:", "13 total_weight deprecated"),
    ],
)
def test_a_weight_that_cannot_be_edited_is_told_with_its_place(old: str, new: str, said: str) -> None:
    """The problem names the file, the line, the path of the field, and what is allowed."""
    line, field, message = said.split(" ", 2)

    (problem,) = problems_of((HEAD + ROUTE).replace(old, new))

    assert problem.source == "routes.yaml"
    assert problem.field.startswith("resources[0].virtual_hosts[0].routes[0].route.weighted_clusters.")
    assert problem.field.endswith(field)
    assert problem.line == int(line)
    assert message in problem.message
    assert problem.allowed


def test_a_rule_without_clusters_is_a_problem() -> None:
    """An empty list of clusters leaves nothing to own."""
    (problem,) = problems_of(HEAD + ROUTE.split("          - {name: v1", maxsplit=1)[0].rstrip("\n") + " []\n")

    assert problem.message == "is missing or empty"


def test_a_weight_used_in_two_places_is_refused() -> None:
    """Editing a weight behind an alias would change another rule as well."""
    aliased = ROUTE.replace("clusters:\n          - {name: v1", "clusters: &pair\n          - {name: v1")
    second = """    - name: other
      match: {prefix: /other}
      route: {weighted_clusters: {clusters: *pair}}
"""
    text = HEAD + aliased + second

    assert [problem.message for problem in problems_of(text)] == [
        "is used in more than one place (anchor and alias)"
    ] * 2
    assert problems_of(text, "other")


def test_aliases_elsewhere_are_no_problem() -> None:
    """Sharing a retry policy between routes does not touch the weights."""
    text = HEAD + ROUTE.replace("      route:\n", "      route:\n        retry_policy: &retry {num_retries: 1}\n")
    text += "    - name: plain\n      match: {prefix: /p}\n      route: {cluster: v1, retry_policy: *retry}\n"

    assert problems_of(text) == ()


def test_a_broken_route_does_not_break_its_neighbours() -> None:
    """Problems belong to their route; others in the same file can be edited."""
    other = ROUTE.replace("name: checkout", "name: other").replace("weight: 10}", "}")

    file = parse((HEAD + ROUTE + other).encode(), "routes.yaml")

    assert file.routes["checkout"].problems == ()
    assert file.routes["other"].problems


@pytest.mark.parametrize(
    ("text", "field", "line", "message"),
    [
        ("", "", 1, "is empty"),
        ("- a\n- b\n", "", 1, "is not a mapping"),
        ('version_info: "1"\n', "resources", 1, "is missing"),
        ("static_resources: {}\n", "resources", 1, "is missing"),
        ('version_info: "1"\nresources: 3\n', "resources", 2, "has a wrong shape"),
        ('version_info: "1"\nresources: [3]\n', "resources[0]", 2, "has a wrong shape"),
        ('version_info: "1"\nversion_info: "2"\nresources: []\n', "version_info", 2, "stands twice"),
        ("version_info: |\n  1\nresources: []\n", "version_info", 1, "cannot be edited"),
        ('version_info: &v "1"\nresources: []\n', "version_info", 1, "cannot be edited"),
        ("version_info: [1]\nresources: []\n", "version_info", 1, "cannot be edited"),
        ("version_info:\nresources: []\n", "version_info", 1, "cannot be edited"),
        (
            HEAD.replace("name: web", "name: [web]") + ROUTE,
            "resources[0].virtual_hosts[0].name",
            6,
            "has a wrong shape",
        ),
        (HEAD + "    - [a]\n", "resources[0].virtual_hosts[0].routes[0]", 9, "has a wrong shape"),
        ("version_info: '1\nresources: []\n", "", 3, "does not parse"),
        ("version_info: {\n", "", 2, "does not parse"),
        ("a: b\n---\nc: d\n", "", 2, "does not parse"),
        ("a: *nobody\n", "", 1, "does not parse"),
        ("a: \x07\n", "", 0, "does not parse"),
        (b"a: 1\nb: \xff\n", "", 2, "is not UTF-8 text"),
        ("[" * 5000, "", 0, "nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_its_place(
    text: str | bytes, field: str, line: int, message: str
) -> None:
    """The one problem names the file, the line and the field."""
    problem = error_of(text)

    assert (problem.source, problem.field, problem.line) == ("routes.yaml", field, line)
    assert message in problem.message


def test_an_anchor_that_is_defined_again_is_allowed() -> None:
    """YAML allows it and Envoy takes it, so no warning of the parser may come through."""
    text = HEAD + ROUTE + "    - {name: a, x: &same 1}\n    - {name: b, x: &same 2}\n"

    assert problems_of(text) == ()

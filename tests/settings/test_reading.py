"""Settings from flags, environment, file and defaults: which counts, where it came from, and all that is wrong."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from rollout.errors import ConfigurationError
from rollout.settings.reading import Effective, read_settings
from rollout.settings.rows import SETTINGS
from rollout.settings.table import ServeSettings

RDS: Mapping[str, object] = {"rds": ["routes.yaml"]}


def put(folder: Path, text: str, name: str = "rollout.toml") -> Path:
    """Write a file of settings."""
    path = folder / name
    path.write_text(text)
    return path


def problems(
    flags: Mapping[str, object], environment: Mapping[str, str] | None = None, file: Path | None = None
) -> list[str]:
    """Return what is said of settings that are wrong."""
    with pytest.raises(ConfigurationError) as refused:
        read_settings(flags, environment or {}, file)
    return [str(problem) for problem in refused.value.problems]


def sources(effective: Effective) -> dict[str, str]:
    """Return where each setting that is not a default comes from."""
    return {field: str(origin) for field, origin in effective.origins.items() if str(origin) != "default"}


def test_without_anything_but_a_route_file_the_defaults_hold() -> None:
    """Every setting has its default."""
    effective = read_settings(RDS, {})

    assert effective.settings == ServeSettings(rds=(Path("routes.yaml"),))
    assert sources(effective) == {"rds": "flag --rds"}


def test_flags_count_more_than_variables_and_those_more_than_the_file(tmp_path: Path) -> None:
    """Of each setting the strongest is taken, and told with its source."""
    path = put(tmp_path, 'rds = ["a"]\ntick = "1s"\nstreams = 1\nadmin = "http://f:1"\n')
    environment = {"ROLLOUT_TICK": "2s", "ROLLOUT_STREAMS": "2"}
    effective = read_settings({"tick": "3s"}, environment, path)

    assert (effective.settings.tick_seconds, effective.settings.streams, effective.settings.admin) == (
        3.0,
        2,
        "http://f:1",
    )
    assert sources(effective) == {
        "rds": f"{path}:1",
        "tick_seconds": "flag --tick",
        "streams": "env ROLLOUT_STREAMS",
        "admin": f"{path}:4",
    }


def test_the_environment_may_name_the_file_and_a_flag_another(tmp_path: Path) -> None:
    """The file of the flag is read, and the other is not."""
    first, second = put(tmp_path, "streams = 1\n"), put(tmp_path, "streams = 2\n", "second.toml")
    environment = {"ROLLOUT_SERVE_CONFIG": str(first)}
    by_variable = read_settings(RDS, environment)
    by_flag = read_settings(RDS, environment, second)

    assert (by_variable.settings.streams, by_flag.settings.streams) == (1, 2)


BOTH = {
    "prometheus": "https://h/p",
    "prometheus_token_file": "t",
    "prometheus_ca_file": "c",
    "tick": "1m30s",
    "gate_hosts": "h:80",
    "gate_secret_file": "gates.secret",
    "hooks": "hooks.yaml",
    "probe_certificates": "p",
    "sinks": "k",
    "failover": "stopped",
    "listen": "[::1]:0",
    "tls_certificate": "c",
    "tls_key": "k",
    "tls_client_ca": "a",
    "rate_per_second": "6",
    "rate_burst": "7",
    "streams": "8",
    "log_format": "json",
    "log_level": "error",
}
IN_ENVOY = {"manifests": "m", "rds": "r", "admin": "http://h:1", "database": "d.db", "staging": "s", "tokens": "t"}
IN_KUBERNETES = {
    "runtime": "kubernetes",
    "kubeconfig": "k",
    "kube_context": "kind-shop",
    "watch_namespace": "shop",
    "lease_namespace": "rollout-system",
    "identity": "rollout-0",
    "lease": "9s",
    "shards": "4",
}


@pytest.mark.parametrize("own", [IN_ENVOY, IN_KUBERNETES], ids=["envoy", "kubernetes"])
def test_every_setting_can_come_from_every_source(tmp_path: Path, own: dict[str, str]) -> None:
    """The name in a file, the variable and the flag of each setting of a runtime give the same value."""
    texts = {**BOTH, **own}
    rows = [row for row in SETTINGS if row.name in texts]
    file = put(tmp_path, "".join(f'{name}: "{text}"\n' for name, text in texts.items()), "s.yaml")
    by_file = read_settings({}, {}, file).settings
    by_variable = read_settings({}, {f"ROLLOUT_{name.upper()}": text for name, text in texts.items()}).settings
    by_flag = read_settings({row.name: [texts[row.name]] if row.many else texts[row.name] for row in rows}, {})

    assert by_file == by_variable == by_flag.settings
    assert all(getattr(by_file, row.field) != ServeSettings.model_fields[row.field].default for row in rows)


def test_no_setting_is_left_out_of_that() -> None:
    """Each belongs to one runtime, or to both."""
    names = {*BOTH, *IN_ENVOY, *IN_KUBERNETES}

    assert names == {row.name for row in SETTINGS}


@pytest.mark.parametrize(
    ("given", "field"),
    [({"runtime": "kubernetes", "rds": "/r"}, "rds"), ({"rds": "/r", "shards": "3"}, "shards")],
)
def test_a_setting_of_the_other_runtime_is_refused(given: dict[str, str], field: str) -> None:
    """What would do nothing is an error that names it."""
    with pytest.raises(ConfigurationError, match=f"--{field}.*means nothing in this runtime"):
        read_settings({name: [text] if name == "rds" else text for name, text in given.items()}, {})


def test_a_variable_has_several_values() -> None:
    """Paths have a colon between them, hosts a comma or space."""
    environment = {"ROLLOUT_RDS": "/a b:/c", "ROLLOUT_GATE_HOSTS": "one, two:80  three"}
    settings = read_settings({}, environment).settings

    assert settings.rds == (Path("/a b"), Path("/c"))
    assert settings.gate_hosts == ("one", "two:80", "three")


def test_an_empty_variable_is_none() -> None:
    """The default holds."""
    effective = read_settings(RDS, {"ROLLOUT_TICK": "", "ROLLOUT_PROMETHEUS": " "})

    assert (effective.settings.tick_seconds, effective.settings.prometheus) == (10.0, None)


def test_every_problem_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    """Names and values that cannot be, of all sources: field, place, what was given, what is allowed."""
    path = put(tmp_path, 'rds = ["a"]\nlistne = "off"\nadmin = "ftp://x"\nstreams = 0\n')
    environment = {"ROLLOUT_RATE_BURST": "many", "ROLLOUT_LOG_LEVEL": "loud"}
    said = problems({"tick": "soon", "listen": "here"}, environment, path)

    assert {problem.partition(" (given")[0] for problem in said} == {
        f"{path}:2: listne: is not a known setting; did you mean listen?",
        f"{path}:3: admin: must be a URL with a host",
        f"{path}:4: streams: is too small",
        "ROLLOUT_RATE_BURST: must be a whole number",
        "ROLLOUT_LOG_LEVEL: is not one of the known values",
        "--tick: must be a duration",
        "--listen: must be a host and a port",
    }
    assert f"{path}:4: streams: is too small (given: 0); allowed: a whole number from 1 to 10000" in said
    assert '--tick: must be a duration (given: "soon"); allowed: a duration from 200ms to 1h, such as 10s' in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tick = 10\n", "tick: must be a duration with a unit, not a bare number (given: 10)"),
        ('tick = "100ms"\n', 'tick: is too small (given: "100ms")'),
        ('tick = "2h"\n', 'tick: is too large (given: "2h")'),
        ("streams = true\n", "streams: must be a whole number (given: true)"),
        ("rate_per_second = 0.5\n", "rate_per_second: must be a whole number (given: 0.5)"),
        ("rate_burst = 49\n", "rate_burst: is less than comes in a second (given: 49); allowed: at least"),
        ("streams = 1.5\n", "streams: must be a whole number (given: 1.5)"),
        ("database = 5\n", "database: "),
        ("listen = 8686\n", "listen: must be text; put it in quotes (given: 8686)"),
        ('gate_hosts = ["a", "b c"]\n', 'gate_hosts[1]: does not have the right form (given: "b c")'),
        ('admin = "http://h:1/path"\n', "admin: must have neither user nor path"),
        ("[tick]\nx = 1\n", "tick: must be a duration (given: a mapping)"),
    ],
)
def test_a_wrong_value_in_a_file_is_told(tmp_path: Path, text: str, said: str) -> None:
    """The sentence begins with the file and line and says what was given."""
    path = put(tmp_path, text)
    (problem,) = problems(RDS, file=path)

    assert problem.startswith(f"{path}:1: {said}")


def test_a_value_that_does_not_count_is_not_looked_at(tmp_path: Path) -> None:
    """What a flag overrides may be anything."""
    effective = read_settings({**RDS, "tick": "5s"}, {"ROLLOUT_TICK": "soon"}, put(tmp_path, 'tick = "never"\n'))

    assert effective.settings.tick_seconds == 5.0


def test_a_route_file_is_needed() -> None:
    """Its flag is named."""
    said = problems({})

    assert said == ["--rds: is required (given: nothing); allowed: the RDS file of Envoy, at least one"]


@pytest.mark.parametrize("listen", ["0.0.0.0:8686", "[::]:8686", "api.example:8686"])
def test_an_address_that_others_reach_needs_tls(listen: str) -> None:
    """Without a certificate it is refused, and the sentence says why and what would do."""
    (said,) = problems(RDS, {"ROLLOUT_LISTEN": listen})

    assert said.startswith("ROLLOUT_LISTEN: would send tokens over the network without TLS")
    assert "a loopback address such as 127.0.0.1:8686, or any with tls_certificate and tls_key" in said


def test_an_address_that_others_reach_may_be_with_tls() -> None:
    """With certificate and key it is taken."""
    settings = read_settings({**RDS, "listen": "0.0.0.0:1", "tls_certificate": "c", "tls_key": "k"}, {}).settings

    assert settings.address is not None
    assert not settings.address.is_loopback


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"tls_certificate": "c"}, "--tls-key: is required"),
        ({"tls_key": "k"}, "--tls-certificate: is required"),
        ({"tls_client_ca": "a"}, "--tls-client-ca: needs TLS"),
    ],
)
def test_files_of_tls_belong_together(flags: Mapping[str, object], said: str) -> None:
    """One without the other is named."""
    (problem,) = problems({**RDS, **flags})

    assert problem.startswith(said)


def test_tokens_are_beside_the_database_unless_told() -> None:
    """The file is `rollout.tokens` in the database's folder, or the one that is named."""
    beside = read_settings({**RDS, "database": "/var/lib/rollout/rollout.db"}, {}).settings
    named = read_settings({**RDS, "tokens": "/etc/tokens"}, {}).settings

    assert beside.tokens_file == Path("/var/lib/rollout/rollout.tokens")
    assert named.tokens_file == Path("/etc/tokens")


def test_a_variable_that_is_nobodys_is_warned_of() -> None:
    """Its nearest name is told; those of other parts, and of other programs, are let be."""
    others = {"ROLLOUT_TOKEN": "secret", "ROLLOUT_CONTEXT": "x", "ROLLOUT_TOOLS": "x", "PATH": "x"}
    warnings = read_settings(RDS, {**others, "ROLLOUT_TIKC": "1s", "ROLLOUT_ZZ": "1"}).warnings

    assert [str(warning) for warning in warnings] == [
        "ROLLOUT_TIKC: is no setting; did you mean ROLLOUT_TICK?",
        "ROLLOUT_ZZ: is no setting",
    ]


def test_a_password_in_a_url_is_not_told() -> None:
    """Not in the sentence about a URL that cannot be."""
    (said,) = problems({**RDS, "prometheus": "http://user:secret@"})

    assert "secret" not in said

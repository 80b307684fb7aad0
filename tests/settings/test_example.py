"""The example in deploy/envoy: it is taken as it is, has every setting of its runtime, and says the right defaults."""

import re
import tomllib
from pathlib import Path

from rollout.settings.reading import read_settings
from rollout.settings.rows import SETTINGS as ALL
from rollout.settings.table import ONLY_KUBERNETES

EXAMPLE = Path(__file__).parents[2] / "deploy" / "envoy" / "rollout.toml"
SETTINGS = [row for row in ALL if row.field not in ONLY_KUBERNETES]
_COMMENTED = re.compile(r"^# (?=[a-z_]+ = )", re.MULTILINE)


def test_the_example_is_taken() -> None:
    """As it is, nothing is wrong with it."""
    effective = read_settings({}, {}, EXAMPLE)

    assert effective.warnings == ()


def test_the_example_has_every_setting() -> None:
    """Also those that are commented out, in the order of the reference, and all of them can be taken together."""
    text = _COMMENTED.sub("", EXAMPLE.read_text())
    names = list(tomllib.loads(text))

    assert names == [row.name for row in SETTINGS]


def test_the_example_can_be_taken_whole(tmp_path: Path) -> None:
    """With every comment taken away it is a file of settings, too."""
    whole = tmp_path / "whole.toml"
    whole.write_text(_COMMENTED.sub("", EXAMPLE.read_text()))
    effective = read_settings({}, {}, whole)

    assert all(str(effective.origins[row.field]) != "default" for row in SETTINGS)


def test_what_is_commented_out_is_the_default() -> None:
    """Where a setting has a default and no file of its own, the comment shows it."""
    written = tomllib.loads(EXAMPLE.read_text())
    shown = tomllib.loads(_COMMENTED.sub("", EXAMPLE.read_text()))
    wrong = {
        row.name: shown[row.name]
        for row in SETTINGS
        if row.name not in written and row.name != "tokens" and row.default and str(shown[row.name]) != row.default
    }

    assert not wrong

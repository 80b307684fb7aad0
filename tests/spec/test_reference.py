"""The field reference in the docs says what the models say."""

import os
from pathlib import Path

from pydantic import BaseModel, Field

from rollout.spec.reference import field_reference, model_reference
from rollout.spec.resource import Rollout, RolloutPolicy

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rollout.md"
MARK = "<!-- from here on made from the models: ROLLOUT_REWRITE=1 pytest tests/spec/test_reference.py -->\n\n"


def test_the_page_is_up_to_date() -> None:
    """Below its mark, the page is what the models give."""
    prose, _, fields = PAGE.read_text(encoding="utf-8").partition(MARK)
    if os.environ.get("ROLLOUT_REWRITE"):
        PAGE.write_text(prose + MARK + field_reference(), encoding="utf-8")
        _, _, fields = PAGE.read_text(encoding="utf-8").partition(MARK)

    assert fields == field_reference()


def models_in(model: type[BaseModel]) -> set[str]:
    """Return the names of all fields of `model` and of the models in it that have no meaning."""
    schema = model.model_json_schema()
    nodes = {model.__name__: schema, **schema.get("$defs", {})}
    refs = {name for name, node in nodes.items() if "description" in node}
    return {
        f"{name}.{field}"
        for name, node in nodes.items()
        for field, found in node.get("properties", {}).items()
        if "description" not in found and found.get("$ref", "").rsplit("/", 1)[-1] not in refs
    }


def test_every_field_has_a_meaning() -> None:
    """No field is without a sentence."""
    assert models_in(Rollout) | models_in(RolloutPolicy) == set()


class Door(BaseModel):
    """A door of a house."""

    wide: int = Field(default=80, ge=60, description="How wide it is, in centimetres.")


class House(BaseModel):
    """Where people live."""

    doors: list[Door] = Field(max_length=4, description="How one gets in.")


def test_any_model_has_a_reference() -> None:
    """Each mapping gets a table, under the title and in the order of first use."""
    told = model_reference(House, "A house")

    assert [line for line in told.splitlines() if line.startswith("## ")] == ["## A house", "## Door"]
    assert "| `doors` | list of [Door](#door) | required |" in told
    assert "| `wide` | whole number | `80` |" in told

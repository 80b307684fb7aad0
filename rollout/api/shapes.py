"""What every model of the API is: camelCase on the wire and frozen; the models are in ``rollout.api.models``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Answer(BaseModel):
    """What the API answers: frozen; a field that a client does not know is let through."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


class Question(BaseModel):
    """What the API takes: frozen; an unknown field is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


class MissingView(Answer):
    """One thing that is still waited for."""

    reason: str
    message: str
    """One sentence."""
    seconds: float | None
    """How long at present rates; None when nobody can know (a person, a gate, no traffic)."""

"""What all models share: frozen, camelCase on the wire, unknown fields refused, sizes bounded."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

API_VERSION = "rollout.dev/v1alpha1"

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")]
"""A name: letters, digits, ``-``, ``_`` and ``.``, at most 253 characters."""

Text = Annotated[str, Field(min_length=1, max_length=1024)]
"""Free text of at most 1,024 characters."""

PromQL = Annotated[str, Field(min_length=1, max_length=4096)]
"""A PromQL expression of at most 4,096 characters."""


class Model(BaseModel):
    """A frozen value with camelCase names on the wire; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, strict=False)


class Metadata(BaseModel):
    """The part of Kubernetes' ObjectMeta that is read here; other fields are let through."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    name: Name
    namespace: Name = "default"
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    generation: int = 0

"""What all models share: frozen, camelCase on the wire, unknown fields refused, sizes bounded."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from rollout.spec.placeholders import ALLOWED, refuse_unknown, text_pattern
from rollout.spec.quantities import Whole

ApiVersion = Literal["rollout.dev/v1alpha1"]
API_VERSION: ApiVersion = "rollout.dev/v1alpha1"

NAME_ALLOWED = "letters, digits, - _ and ., at most 253, a letter or digit first and last"
URL_ALLOWED = "an http:// or https:// URL with a host, without user and password, at most 2048 characters"


_HOST = re.compile(r"https?://([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?].*)?")
# What schemas say is shorter and a little wider: the API server bounds the cost of a pattern by its length.
_URL = r"^https?://([\w.-]+|\[[\w:.]+\])(:[0-9]{1,5})?([/?]\S*)?$"
_PROMQL = text_pattern(r"[^{\x00-\x08\x0b-\x1f\x7f]")
_WITH_USER = re.compile(r"https?://[^/?#]*@.*")


def _plain_url(url: str) -> str:
    if _WITH_USER.fullmatch(url):
        raise ValueError("must not carry a user or password")
    if not _HOST.fullmatch(url):
        raise ValueError("must be a URL with a host, and without #")
    return url


Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        json_schema_extra={"allowed": NAME_ALLOWED},
    ),
]
"""A name: letters, digits, ``-``, ``_`` and ``.``, at most 253 characters."""

Text = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""Free text of one line, at most 1,024 characters."""

ShortText = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""Free text of one line, at most 253 characters."""

PromQL = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4096,
        pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+$",
        json_schema_extra={
            "allowed": f"PromQL of at most 4096 characters, with the placeholders {ALLOWED}",
            "pattern": f"^{_PROMQL}$",
        },
    ),
    AfterValidator(refuse_unknown),
]
"""A PromQL expression of at most 4,096 characters; it may hold placeholders."""

Url = Annotated[
    str,
    Field(min_length=1, max_length=2048, pattern=r"^https?://[^\s\x00-\x1f\x7f]+$"),
    AfterValidator(_plain_url),
    WithJsonSchema({"type": "string", "allowed": URL_ALLOWED, "maxLength": 2048, "pattern": _URL}),
]
"""A URL of a gate."""


class Model(BaseModel):
    """A frozen value with camelCase names on the wire; an unknown field is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        strict=False,
        use_attribute_docstrings=True,
    )


class Metadata(BaseModel):
    """The part of Kubernetes' ObjectMeta that is read here; other fields are let through."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )

    name: Name
    """The name, unique per kind in a namespace."""
    namespace: Name = "default"
    """The namespace; routes and backends without one of their own are looked for there."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels; not read."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations; ``rollout.dev/command`` carries a command."""
    generation: Whole = 0
    """Counted by the store: changes with the spec only."""

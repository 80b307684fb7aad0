"""Metric templates: which counters of a gateway tell of a backend's requests.

A template names series selectors with placeholders; the adapter of a source turns many
templates of one policy into one query. Only a policy carries templates.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from rollout.spec.base import Model, PromQL
from rollout.spec.placeholders import ALLOWED, KNOWN, refuse_unknown, text_pattern
from rollout.spec.quantities import Number

SELECTOR_ALLOWED = 'a metric with labels, such as requests_total{code="500"}'

LABEL_ALLOWED = "letters, digits and _, no digit first, at most 128 characters"

_PLACEHOLDER = re.compile(r"\{\{[^{}]*\}\}")
_SELECTOR = re.compile(r"""[a-zA-Z_:][a-zA-Z0-9_:]*(\{([^{}"]|"([^"\\]|\\.)*")*\})?|\{([^{}"]|"([^"\\]|\\.)*")+\}""")
_LABEL_VALUE = text_pattern(r"[^{\x00-\x1f\x7f]")
_QUOTED = '"' + text_pattern(r'[^{"\\\x00-\x08\x0b-\x1f\x7f]|\\.') + '"'
_INSIDE = r'([^{}"\x00-\x08\x0b-\x1f\x7f]|' + f"{KNOWN}|{_QUOTED})"
_METRIC = rf"([a-zA-Z_:]|{KNOWN})([a-zA-Z0-9_:]|{KNOWN})*"
_SELECTOR_PATTERN = rf"^({_METRIC}(\{{{_INSIDE}*\}})?|\{{{_INSIDE}+\}})$"
"""``_SELECTOR`` for a text that still has its placeholders, for schemas."""


def _plain_selector(text: str) -> str:
    if not _SELECTOR.fullmatch(_PLACEHOLDER.sub("x", text)):
        raise ValueError("must be a plain series selector, without functions, ranges or arithmetic")
    return text


Selector = Annotated[
    PromQL,
    AfterValidator(_plain_selector),
    Field(json_schema_extra={"allowed": SELECTOR_ALLOWED, "pattern": _SELECTOR_PATTERN}),
]
"""A plain series selector; it may hold placeholders."""

Label = Annotated[
    str,
    Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=128, json_schema_extra={"allowed": LABEL_ALLOWED}),
]
"""A label name of Prometheus."""

LabelValue = Annotated[
    str,
    Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$"),
    AfterValidator(refuse_unknown),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": 512,
            "pattern": f"^{_LABEL_VALUE}$",
            "allowed": f"text, with the placeholders {ALLOWED}",
        }
    ),
]
"""A label's value; it may hold placeholders."""


class ErrorCounters(Model):
    """A counter of all requests, and one or more ways to count the bad ones.

    Each is a plain series selector such as ``envoy_cluster_upstream_rq_xx{envoy_response_code_class="5"}``.
    """

    total: Selector
    """Selector of the counter of all requests."""
    bad: Annotated[tuple[Selector, ...], Field(min_length=1, max_length=10)]
    """Selectors of the counters of failed requests, one for each way to count them.

    A gateway may tell of one failure in two counters (a refused gRPC call is a 5xx and a code 14 of
    Envoy), so in each sample the way that counted most is taken.
    """


class LatencyHistogram(Model):
    """A histogram: its ``_bucket`` series and how many of its units make a second (1000 for milliseconds)."""

    buckets: Selector
    """Selector of the histogram's bucket series."""
    units_per_second: Annotated[Number, Field(gt=0, le=1_000_000)] = 1.0
    """Units of ``le`` in a second: 1 for seconds, 1000 for milliseconds."""


class MetricTemplates(Model):
    """Where the counters of a backend are.

    ``backend_labels`` identify the backend in every series; their values may hold placeholders.
    ``instance_labels`` identify the scraped target, ``pod_label`` (if any) the backend's pod.
    """

    errors: ErrorCounters | None = None
    """Counters for checks of kind Errors."""
    latency: LatencyHistogram | None = None
    """Histogram for checks of kind SlowerThan."""
    backend_labels: Annotated[dict[Label, LabelValue], Field(min_length=1, max_length=6)]
    """Labels that identify a backend in every series, and their values."""
    instance_labels: Annotated[tuple[Label, ...], Field(min_length=1, max_length=4)] = ("instance",)
    """Labels that identify the scraped target."""
    pod_label: Label | None = None
    """Label that tells the pods of a backend apart, if any."""

"""Metric templates: which counters of a gateway tell of a backend's requests.

A template names series selectors with placeholders; the adapter of a source turns many
templates of one policy into one query. Only a policy carries templates.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rollout.spec.base import Model, PromQL

Label = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=128)]
LabelValue = Annotated[str, Field(min_length=1, max_length=512)]


class ErrorCounters(Model):
    """A counter of all requests, and the counters of bad ones (their sum, bounded by the first).

    Each is a plain series selector such as ``envoy_cluster_upstream_rq_xx{envoy_response_code_class="5"}``.
    """

    total: PromQL
    bad: Annotated[tuple[PromQL, ...], Field(min_length=1, max_length=10)]


class LatencyHistogram(Model):
    """A histogram: its ``_bucket`` series and how many of its units make a second (1000 for milliseconds)."""

    buckets: PromQL
    units_per_second: Annotated[float, Field(gt=0, le=1_000_000)] = 1.0


class MetricTemplates(Model):
    """Where the counters of a backend are.

    ``backend_labels`` identify the backend in every series; their values may hold placeholders.
    ``instance_labels`` identify the scraped target, ``pod_label`` (if any) the backend's pod.
    """

    errors: ErrorCounters | None = None
    latency: LatencyHistogram | None = None
    backend_labels: Annotated[dict[Label, LabelValue], Field(min_length=1, max_length=6)]
    instance_labels: Annotated[tuple[Label, ...], Field(min_length=1, max_length=4)] = ("instance",)
    pod_label: Label | None = None

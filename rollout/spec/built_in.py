"""The policy of a runtime for Rollouts that have none: analysis by errors and slowness on plain Envoy.

Called by ``rollout.bootstrap``; given to ``rollout.spec.merge.effective`` as the lowest layer.
"""

from __future__ import annotations

from collections.abc import Mapping

GRPC_FAULTS = "2|4|12|13|14|15"
"""The gRPC codes that mean a fault of the server.

They are UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS.
"""


def built_in_policy() -> Mapping[str, object]:
    """Return the policy of the envoy runtime, as a document.

    Counters are those of Envoy's clusters as Prometheus has them (``/stats/prometheus``): completed
    requests, answers 5xx and gRPC faults (their code is in the metric's name), and the histogram of
    answer times in milliseconds.
    """
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "ClusterRolloutPolicy",
        "metadata": {"name": "built-in"},
        "spec": {
            "analysis": {
                "checks": [
                    {"name": "errors", "kind": "Errors"},
                    {"name": "slow", "kind": "SlowerThan", "bounds": ["250ms", "500ms"]},
                ],
            },
            "metrics": _metrics(),
        },
    }


def cluster_policy() -> Mapping[str, object]:
    """Return the policy of the kubernetes runtime, as a document: errors are judged, and no counters are known.

    Where a gateway counts per backend differs from gateway to gateway, so a Rollout names a policy that says it, or has
    no checks (``analysis: {checks: []}``); one with neither is refused with that.
    """
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "ClusterRolloutPolicy",
        "metadata": {"name": "built-in"},
        "spec": {
            "analysis": {"checks": [{"name": "errors", "kind": "Errors"}]},
            "metrics": {"backendLabels": {"service": "{{ backend.name }}"}},
        },
    }


def _metrics() -> Mapping[str, object]:
    return {
        "backendLabels": {"envoy_cluster_name": "{{ backend.name }}"},
        "errors": {
            "total": "envoy_cluster_upstream_rq_completed",
            "bad": [
                'envoy_cluster_upstream_rq_xx{envoy_response_code_class="5"}',
                f'{{__name__=~"envoy_cluster_grpc_({GRPC_FAULTS})"}}',
            ],
        },
        "latency": {"buckets": "envoy_cluster_upstream_rq_time_bucket", "unitsPerSecond": 1000},
    }

"""Templates and asks."""

from rollout.engine.observation import BackendKey
from rollout.ports import Ask
from rollout.spec.metrics import ErrorCounters, LatencyHistogram, MetricTemplates

NOW = 1_800_000_000.0

ENVOY = MetricTemplates(
    errors=ErrorCounters(total="rq_completed", bad=('rq_xx{class="5"}', '{__name__=~"grpc_(2|14)"}')),
    latency=LatencyHistogram(buckets="rq_time_bucket", units_per_second=1000),
    backend_labels={"cluster": "{{ backend.name }}"},
    pod_label="pod",
)


def ask_for(
    canary: str = "v2",
    stable: str = "v1",
    *,
    since: float = NOW - 10,
    bounds: tuple[float, ...] = (),
    queries: tuple[tuple[str, str], ...] = (),
    templates: MetricTemplates | None = ENVOY,
) -> Ask:
    """Return what a Rollout with these two backends asks."""
    backends = BackendKey("shop", canary), BackendKey("shop", stable)
    return Ask("shop", "checkout", *backends, templates, templates is not None, bounds, queries, since)

"""Orders to workloads, carried out beside the passes: a slow platform never delays the write of a weight.

A pass gives an order again and again until it is seen to be done, so a failure is only noted here: the next decision
says why nothing happened, and the order is tried again later. One that is taken and changes nothing waits as well, or
it would be given without a pause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

import structlog

from rollout.controller.backoff import QUICK_TRIES, backoff
from rollout.controller.entry import Entry
from rollout.controller.measure import UNEXPECTED
from rollout.engine.orders import CopyTemplate, Scale, WorkloadOrder
from rollout.errors import ConflictError, RolloutError
from rollout.ports import Clock, Workloads

log = structlog.get_logger(__name__)

LONGEST_WAIT_SECONDS = 30.0


class Orders:
    """Carries out orders, one after another for each Rollout, while this replica ``may``."""

    def __init__(
        self, workloads: Workloads, clock: Clock, *, chance: Callable[[], float], may: Callable[[Entry], bool]
    ) -> None:
        """Give orders to ``workloads``; ``chance`` gives numbers from 0 to 1, for the jitter of waits."""
        self._workloads = workloads
        self._clock = clock
        self._chance = chance
        self._may = may

    def due_in(self, entry: Entry, orders: tuple[WorkloadOrder, ...]) -> float | None:
        """Return in how many seconds to carry these out; None: there is nothing to do, or it is being done."""
        if not orders:
            entry.order_problem, entry.given, entry.order_failures, entry.order_at = "", (), 0, 0.0
            return None
        if entry.ordering is not None or entry.unrecorded:
            return None
        return max(0.0, entry.order_at - self._clock.monotonic())

    async def carry_out(self, entry: Entry, orders: tuple[WorkloadOrder, ...]) -> None:
        """Try each order once; the entry then knows what failed, and when the next may be given."""
        failures = [await self._failure(entry, order) for order in orders if self._may(entry)]
        given = tuple(replace(order, expected="") for order in orders)
        has_failed = any(failure is not None for failure in failures)
        entry.order_failures = entry.order_failures + 1 if has_failed or given == entry.given else 0
        entry.order_problem, entry.given = "; ".join(filter(None, failures)), given
        is_quick = not entry.order_problem and entry.order_failures <= QUICK_TRIES
        wait = 0.0 if is_quick else backoff(entry.order_failures, self._chance(), longest=LONGEST_WAIT_SECONDS)
        entry.order_at = self._clock.monotonic() + wait

    async def _failure(self, entry: Entry, order: WorkloadOrder) -> str | None:
        """Give one order; return None when it was taken, else why not (empty: somebody changed the workload first)."""
        target = order.target if isinstance(order, CopyTemplate) else order.key
        who = {"rollout": str(entry.key), "workload": str(target)}
        try:
            await self._give(order)
        except ConflictError:
            return ""
        except RolloutError as error:
            log.warning("order to a workload failed", why=str(error), **who)
            return f"{target}: {error}"
        except Exception:
            log.exception("order to a workload failed", **who)
            return f"{target}: {UNEXPECTED}"
        log.info("order to a workload taken", **_facts(order), **who)
        return None

    async def _give(self, order: WorkloadOrder) -> None:
        match order:
            case CopyTemplate(source, target, template, expected):
                await self._workloads.copy_template(source, target, template=template, expected=expected)
            case Scale(key, replicas, expected):
                await self._workloads.scale(key, replicas, expected=expected)
            case never:
                assert_never(never)


def _facts(order: WorkloadOrder) -> dict[str, object]:
    if isinstance(order, CopyTemplate):
        return {"copied_from": str(order.source), "template": order.template}
    return {"replicas": order.replicas}

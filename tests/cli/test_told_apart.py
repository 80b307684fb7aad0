"""Counters that do not tell backends apart: every way to look says so, with the same reason and sentence."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import structlog
from typer.testing import CliRunner

from rollout.analysis import gaps
from rollout.cli.main import app
from rollout.engine.table import Phase
from tests.api.world import V1, V2, World, world
from tests.waiting import until

REASON = "BackendsNotToldApart"
SENTENCE = f"o series has cluster={V2} for {V2}, nor the like for {V1} (check errors): the gateway keeps no counters"
ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}]}


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Serve the API over a source that has series of neither backend, which is told soon."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    monkeypatch.setattr(gaps, "LEAST_PATIENCE_SECONDS", 0.0)
    async with world() as served:
        served.measurements.unlabelled = {name: f"cluster={name}" for name in (V1, V2)}
        yield served


async def said(api: World, *arguments: str) -> str:
    """Return what the command line says, its lines joined."""
    told = {"ROLLOUT_CONFIG": "/nowhere", "ROLLOUT_SERVER": api.url, "ROLLOUT_NAMESPACE": "shop"}
    environ = {**told, "ROLLOUT_TOKEN": api.token}
    result = await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments, env=environ))
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


async def test_whoever_looks_is_told_the_reason_and_the_sentence(api: World) -> None:
    """The live numbers of the API, the recorded status, `why`, `get` and `describe`."""
    await api.under_way(analysis=ERRORS)
    await until(lambda: api.state().reason == REASON)
    live = (await api.ask("GET", "/api/v1/rollouts/shop/web/live")).json
    resource = (await api.ask("GET", "/api/v1/rollouts/shop/web")).json
    why, got, described = [await said(api, *words, "web") for words in (("why",), ("get", "-o", "wide"), ("describe",))]

    assert (live["reason"], live["verdictReason"], live["checks"][0]["reason"]) == (REASON, REASON, REASON)
    assert SENTENCE in live["message"]
    assert (resource["status"]["reason"], SENTENCE in resource["status"]["message"]) == (REASON, True)
    assert f"N{SENTENCE}" in got
    assert f"Progressing, {REASON}: N{SENTENCE}" in why
    assert f"Reason: {REASON} Message: N{SENTENCE}" in described


async def test_history_has_the_sentence_of_an_abort_without_data(api: World) -> None:
    """Where the policy does not hold for ever, what was missing is in the transition."""
    await api.under_way(analysis={**ERRORS, "onNoData": {"hold": "1s", "then": "Abort"}})
    await api.until_phase(Phase.ABORTED)

    assert f"NoData Rolled back: no data for 1s: n{SENTENCE}" in await said(api, "history", "web")

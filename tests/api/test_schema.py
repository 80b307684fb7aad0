"""What schemathesis makes of the description: requests in and out of it, against the real server."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis import Case
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.api.world import OPERATOR, world

pytestmark = pytest.mark.long

EXAMPLES = 12
SEQUENCES, STEPS, RUNS = 15, 6, 3
HEADERS = {"Authorization": f"Bearer {OPERATOR}"}


def _try_all(url: str) -> int:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", headers=HEADERS).exclude(path_regex="/events$")
    # What a schema cannot say (names that must agree, a policy that must exist) is refused although it fits.
    skipped: list[Any] = [positive_data_acceptance]
    tried = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)

        @given(case=result.ok().as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def attempt(case: Case[Any]) -> None:
            case.call_and_validate(headers=HEADERS, excluded_checks=skipped)

        attempt()
        tried += 1
    return tried


async def test_the_server_keeps_to_its_description() -> None:
    """Whatever is asked, the answer has a status, a form and headers that the description has."""
    async with world() as api:
        await api.under_way()
        tried = await asyncio.to_thread(_try_all, api.url)

    assert tried > 15


def _try_sequences(url: str) -> int:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", headers=HEADERS).exclude(path_regex="/events$")
    calls = 0

    class Sequences(schema.as_state_machine()):  # type: ignore[misc]
        """Operations one after the other, along the links of the description."""

        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            nonlocal calls
            calls += 1
            return {"headers": HEADERS}

        def validate_response(self, response: Any, case: Case[Any], **given: Any) -> None:  # noqa: ANN401
            case.validate_response(
                response, excluded_checks=[positive_data_acceptance], transport_kwargs=given, recorder=self.recorder
            )

    sequences = settings(
        max_examples=SEQUENCES // RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for number in range(RUNS):
        seed(number)(Sequences)
        # The server remembers what came before: where the same calls lead elsewhere the second time, a run ends early.
        with suppress(FlakyStrategyDefinition):
            Sequences.run(settings=sequences)
    return calls


async def test_the_server_keeps_to_its_description_in_sequences() -> None:
    """Made, read, commanded, asked after, deleted in any order: every answer is as described, and none is a 5xx."""
    async with world() as api:
        await api.under_way()
        calls = await asyncio.to_thread(_try_sequences, api.url)

    assert calls > SEQUENCES

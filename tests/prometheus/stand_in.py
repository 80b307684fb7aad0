"""A stand-in for Prometheus' query API: holds samples, answers selectors with a range and groups, counts queries."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

_RANGE = re.compile(r"^([a-zA-Z_:][\w:]*)?\{(.*)\}\[(\d+)s\]$")
_GROUP = re.compile(r"^group by \(([\w,]+)\) \(\{(.*)\}\)$")
_MATCHER = re.compile(r'(\w+)(=~|!=|=)"((?:[^"\\]|\\.)*)"')


@dataclass(slots=True)
class StandIn:
    """Series by labels (with ``__name__``), their samples, values of whole queries, and what was asked."""

    url: str = ""
    series: list[tuple[dict[str, str], list[tuple[float, float]]]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, name: str, labels: Mapping[str, str], *samples: tuple[float, float]) -> None:
        """Keep a series."""
        self.series.append(({"__name__": name, **labels}, list(samples)))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer an instant query."""
        query, now = request.query["query"], float(request.query["time"])
        self.asked.append(query)
        if len(str(request.rel_url)) > 8192:
            return web.Response(status=414, text="too long")
        found = self.values.get(query)
        result = found if found is not None else self._group(query) or self._range(query, now)
        body = f'{{"status":"success","data":{{"result":{result}}}}}'
        return web.Response(text=body, content_type="application/json")

    def _group(self, query: str) -> str:
        """Return the groups of all series there are, empty when it is another query."""
        match = _GROUP.match(query)
        if match is None:
            return ""
        matchers, by = _matchers(match[2]), match[1].split(",")
        fitting = (labels for labels, _ in self.series if all(_fits(labels.get(n, ""), h, v) for n, h, v in matchers))
        groups = {tuple((name, labels.get(name, "")) for name in by): None for labels in fitting}
        return json.dumps([{"metric": dict(group), "value": [0, "1"]} for group in groups])

    def _range(self, query: str, now: float) -> str:
        match = _RANGE.match(query)
        if match is None:
            return "[]"
        matchers = [("__name__", "=", match[1])] if match[1] else []
        matchers += _matchers(match[2])
        window = float(match[3])
        result = [
            {"metric": labels, "values": [[at, f"{value:g}"] for at, value in samples if now - window < at <= now]}
            for labels, samples in self.series
            if all(_fits(labels.get(name, ""), how, value) for name, how, value in matchers)
        ]
        return json.dumps([one for one in result if one["values"]])


def _matchers(text: str) -> list[tuple[str, str, str]]:
    return [(name, how, json.loads(f'"{value}"')) for name, how, value in _MATCHER.findall(text)]


def _fits(found: str, how: str, value: str) -> bool:
    if how == "=~":
        return re.fullmatch(value, found) is not None
    return (found == value) == (how == "=")


@asynccontextmanager
async def standing_in() -> AsyncIterator[StandIn]:
    """Run a stand-in on a free port."""
    stand_in = StandIn()
    app = web.Application()
    app.router.add_get("/api/v1/query", stand_in.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, max_line_size=65536)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield stand_in
    finally:
        await runner.cleanup()

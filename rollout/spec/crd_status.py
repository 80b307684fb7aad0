"""The schema of a Rollout's status, as ``rollout.engine.status`` writes it.

What people read has a field each; ``engine`` and ``judge`` are the engine's own. Nothing that is
written is ever taken away: every object here lets unknown fields stand, so that a controller newer
than the definition loses no state. Called by ``rollout.spec.crd``.
"""

from __future__ import annotations

from collections.abc import Mapping

PHASES = ("Idle", "Progressing", "Paused", "Promoting", "Aborting", "Aborted", "Invalid")
"""Every phase, as ``rollout.engine.table.Phase``, which this room may not import."""

VERDICTS = ("Pass", "Continue", "Hold", "Fail")
"""Every verdict, as ``rollout.analysis.judge.Verdict``, which this room may not import."""

Schema = dict[str, object]

_KEEP: Mapping[str, object] = {"x-kubernetes-preserve-unknown-fields": True}


def _text(meaning: str) -> Schema:
    return {"description": meaning, "type": "string"}


def _whole(meaning: str) -> Schema:
    return {"description": meaning, "type": "integer", "format": "int64"}


def _number(meaning: str) -> Schema:
    return {"description": meaning, "type": "number"}


def _flag(meaning: str) -> Schema:
    return {"description": meaning, "type": "boolean"}


def _choice(meaning: str, values: tuple[str, ...]) -> Schema:
    return {**_text(meaning), "enum": list(values)}


def _object(meaning: str, properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    needed = {"required": list(required)} if required else {}
    return {"description": meaning, "type": "object", "properties": dict(properties), **needed, **_KEEP}


def _list(meaning: str, item: Schema) -> Schema:
    return {"description": meaning, "type": "array", "items": item, "x-kubernetes-list-type": "atomic"}


def _by_backend(meaning: str, value: Schema) -> Schema:
    return {"description": meaning, "type": "object", "additionalProperties": value}


def _weights(meaning: str) -> Schema:
    return _by_backend(meaning, {"type": "integer", "format": "int64"})


_EVIDENCE = _object(
    "What one check says.",
    {
        "name": _text("The check."),
        "kind": _text("Its kind."),
        "verdict": _choice("What it says.", VERDICTS),
        "reason": _text("A constant that says why."),
        "sentence": _text("The same with its numbers."),
        "logEvidence": _number("Evidence against the canary, as a logarithm of odds."),
        "limit": _number("The evidence that convicts it."),
        "canaryBad": _whole("Bad requests of the canary in this attempt."),
        "canaryTotal": _whole("Requests of the canary in this attempt."),
        "stableBad": _whole("Bad requests of the stable in this attempt."),
        "stableTotal": _whole("Requests of the stable in this attempt."),
        "dryRun": _flag("Whether it is only looked at."),
    },
)

STAGES = ("Normal", "Confirming", "FailedOver", "FailingBack", "Latched", "Drill")
"""Every phase of failover, as ``rollout.failover.table.Stage``, which this room may not import."""

_TRANSITION = _object(
    "A numbered change of phase, step, roles or failover.",
    {
        "number": _whole("Counts from 1 and is never used again."),
        "at": _number("When, in Unix seconds."),
        "phase": _choice("The phase after it.", PHASES),
        "step": _whole("The step after it, 1-based; 0: none."),
        "weights": _weights("The weights after it."),
        "reason": _text("A constant that says why."),
        "message": _text("One sentence that says why."),
        "failover": {
            **_object(
                "Where failover stood after it; null where there is none.",
                {
                    "phase": _choice("Its phase.", STAGES),
                    "active": _text("The backup that carried the traffic; empty: none."),
                    "epoch": _whole("The number of the failover."),
                },
            ),
            "nullable": True,
        },
        "attempt": _whole("The attempt that it belongs to; 0: none yet, or not known."),
    },
)

_CURSOR = _object(
    "How far a sink was told.",
    {
        "number": _whole("The number of the last transition that it is not told again."),
        "at": _number("When it was told last, in Unix seconds; absent: never."),
        "thread": _text("The sink's own name of the attempt's messages; absent: none."),
        "attempt": _whole("The attempt that the thread is for."),
        "problem": _text("Why it cannot be told more now; absent: nothing speaks against it."),
    },
)

_HANDLED = _object(
    "What became of a command.",
    {
        "id": _text("The id that the caller chose."),
        "action": _text("What was asked for."),
        "done": _flag("Whether it was carried out; else it was refused."),
        "reason": _text("A constant that says why."),
        "message": _text("One sentence that says why."),
    },
)

HOOKS = ("beforeStart", "onStep", "step", "beforePromotion", "onRollback")
"""When a gate is called, as ``rollout.engine.observation.Hook``, which this room may not import."""

_GATE = _object(
    "What a gate or hook answered last.",
    {
        "hook": _choice("When it is called; step: as a gate of a step.", HOOKS),
        "name": _text("Its name."),
        "attempt": _whole("The attempt for which it was called."),
        "step": _whole("The step in which it was called, 1-based; 0: before the first, or after a rollback."),
        "agrees": _flag("Whether it agreed."),
        "message": _text("What it answered, or why there is no answer."),
        "at": _number("When it was called, in Unix seconds."),
        "tries": _whole("How many calls that took."),
        "asked": _text("What tells this URL and onFailure from those before an edit."),
        "fault": _choice("Why there is no answer; failed: it was never asked.", ("unreachable", "failed")),
    },
)

_CONDITION = _object(
    "One thing that is true of the Rollout, or not.",
    {
        "type": _text("What it is about."),
        "status": _choice("Whether it is so.", ("True", "False", "Unknown")),
        "reason": _text("A constant that says why."),
        "message": _text("One sentence that says why."),
        "lastTransitionTime": {**_text("When its status last changed."), "format": "date-time"},
        "observedGeneration": _whole("The generation of the spec that it was found for."),
    },
    ("type", "status", "reason", "message", "lastTransitionTime"),
)

_FIELDS: Mapping[str, Schema] = {
    "phase": _choice("Where the Rollout stands.", PHASES),
    "reason": _text("A constant that says why it stands there."),
    "message": _text("One sentence that says why it stands there."),
    "attempt": _whole("The number of the last attempt; 0 before the first."),
    "step": _whole("The step of the attempt, 1-based; 0 before the first."),
    "weight": _number("The canary's intended weight in percent."),
    "stable": _text("The backend that holds the stable role; empty while the roles are unknown."),
    "canary": _text("The backend that holds the canary role; empty while the roles are unknown."),
    "revision": _text("The revision of the last attempt."),
    "weights": _object(
        "Weights by backend.",
        {
            "intended": _weights("What the routes shall say."),
            "observed": _weights("What the routes said when last seen."),
            "acknowledged": _weights("What was written last."),
            "effective": _text("Whether counted requests agree with them."),
        },
    ),
    "health": _by_backend("Health by backend: Healthy, Unhealthy or Unknown.", {"type": "string"}),
    "failover": _object(
        "Whether traffic is at a backup.",
        {
            "phase": _choice("Normal, or where failover stands.", STAGES),
            "active": _text("The backup that carries the traffic, or most of it; empty: none."),
            "epoch": _whole("The number of the last failover or proposal; commands name it."),
            "since": _number("Since when it stands there, in Unix seconds."),
            "reason": _text("A constant that says why."),
            "message": _text("One sentence that says why, with the evidence."),
        },
    ),
    "evidence": _list("What each check says.", _EVIDENCE),
    "transitions": _list("The last changes, and older ones that a sink was not told of; oldest first.", _TRANSITION),
    "notified": {
        "description": "How far each sink was told of the transitions, by its name.",
        "type": "object",
        "additionalProperties": _CURSOR,
    },
    "gates": _list("The last answers of the attempt's gates and hooks, at most 16, oldest first.", _GATE),
    "handledCommands": _list("The last commands, oldest first.", _HANDLED),
    "conditions": {
        "description": "What is true of the Rollout.",
        "type": "array",
        "items": _CONDITION,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    },
    "observedGeneration": _whole("The generation of the spec that this status was found for."),
    "judge": {"description": "What the judge remembers; not for people.", "type": "object", "nullable": True, **_KEEP},
    "engine": {"description": "What the controller remembers; not for people.", "type": "object", **_KEEP},
}


def status_schema() -> Schema:
    """Return the schema of the status: one writer has all of it, so the API server keeps no account of each field.

    That account would be as long as half of the status, and is compared and written down with every write.
    """
    whole = _object("Where the Rollout stands; written by the controller only.", _FIELDS)
    return {**whole, "x-kubernetes-map-type": "atomic"}

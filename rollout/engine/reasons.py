"""The reasons: CamelCase constants that stand unchanged in status, condition, log, event and API.

Reasons of a verdict come from ``rollout.analysis.reasons`` and are passed through as they are.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a Rollout is as it is; ``MEANING`` has a sentence for each."""

    BASELINE = "Baseline"
    STARTED = "Started"
    RETRIED = "Retried"
    NEW_REVISION = "NewRevision"
    STEP_STARTED = "StepStarted"
    STEPS_EDITED = "StepsEdited"
    PROMOTED_BY_COMMAND = "PromotedByCommand"
    PROMOTING = "Promoting"
    PROMOTED = "Promoted"
    COPYING = "CopyingTemplate"
    GIVING_BACK = "GivingBack"
    STABLE_LOST = "StableLost"
    PROMOTION_STUCK = "PromotionStuck"
    UNDOING = "Undoing"
    UNDONE = "Undone"
    PAUSED = "PausedByCommand"
    RESUMED = "Resumed"
    ABORTED = "AbortedByCommand"
    REVISION_WITHDRAWN = "RevisionWithdrawn"
    CANARY_NOT_READY = "CanaryNotReady"
    CANARY_LOST = "CanaryLost"
    CANARY_CARRIES_ALL = "CanaryCarriesAll"
    GATE_REFUSED = "GateRefused"
    DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    HOLDING = "Holding"
    WAITING_FOR_WRITE = "WaitingForWrite"
    WAITING_FOR_ROUTES = "WaitingForRoutes"
    WAITING_FOR_APPROVAL = "WaitingForApproval"
    WAITING_FOR_GATE = "WaitingForGate"
    WAITING_FOR_REQUESTS = "WaitingForRequests"
    WAITING_FOR_FRESH_TICK = "WaitingForFreshTick"
    WEIGHTS_INEFFECTIVE = "WeightsIneffective"
    DRIFT_DETECTED = "DriftDetected"
    OWNERSHIP_CONFLICT = "OwnershipConflict"
    ROLES_UNKNOWN = "RolesUnknown"
    ADOPTED = "Adopted"
    SUSPENDED = "Suspended"
    INVALID = "InvalidSpec"
    VALID = "Valid"
    UNRECORDED = "Unrecorded"
    DELETING = "Deleting"
    GAVE_UP = "GaveUp"
    ON_BACKUP = "OnBackup"


class Refusal(StrEnum):
    """Why a command was refused; nothing changed."""

    ILLEGAL = "IllegalInPhase"
    UNKNOWN = "UnknownCommand"
    BAD_ARGUMENT = "BadArgument"
    EXPIRED = "CommandExpired"
    NO_FAILOVER = "NoFailover"
    FAILED_OVER = "FailedOver"
    AT_WORK = "RevisionAlreadyAtWork"
    ABORTED_BEFORE = "RevisionWasAborted"
    NOT_READY = "CanaryNotReady"
    STABLE_DOWN = "StableNotReady"
    NOTHING_TO_UNDO = "NothingToUndo"
    SUSPENDED = "Suspended"
    NO_STEPS = "NoSteps"
    ROLES_UNKNOWN = "RolesUnknown"


MEANING: dict[str, str] = {
    Reason.BASELINE: "The first revision seen is the baseline; nothing has been started.",
    Reason.STARTED: "An attempt began.",
    Reason.RETRIED: "A person asked to try the aborted revision again.",
    Reason.NEW_REVISION: "A newer revision came during an attempt, which began anew.",
    Reason.STEP_STARTED: "The next step began.",
    Reason.STEPS_EDITED: "The steps were edited during the attempt, which goes on from the weight it has.",
    Reason.PROMOTED_BY_COMMAND: "A person moved the attempt on.",
    Reason.PROMOTING: "All steps are done; the canary gets all weight, and then the end of the attempt follows.",
    Reason.PROMOTED: "The attempt ended well: the new revision has the stable role and all weight.",
    Reason.COPYING: "Stable gets the canary's pod template, and its rollout is waited for.",
    Reason.GIVING_BACK: "Stable runs what the canary runs, and gets its weight back step by step.",
    Reason.STABLE_LOST: "Stable lost its last ready endpoint while it got its weight back; the canary has all again.",
    Reason.PROMOTION_STUCK: "Stable's rollout failed or took too long; resume tries on, abort gives up.",
    Reason.UNDOING: "A person asked for the previous stable back.",
    Reason.UNDONE: "The previous stable has the stable role and all weight again.",
    Reason.PAUSED: "A person paused the attempt; resume ends it.",
    Reason.RESUMED: "A person ended the pause.",
    Reason.ABORTED: "A person aborted the attempt.",
    Reason.REVISION_WITHDRAWN: "The revision that stable runs was asked for again.",
    Reason.CANARY_NOT_READY: "The canary has no ready endpoint yet, so it gets no weight.",
    Reason.CANARY_LOST: "The canary lost its last ready endpoint during the attempt.",
    Reason.CANARY_CARRIES_ALL: "Stable has no ready endpoint, so the gateway may send everything to the canary.",
    Reason.GATE_REFUSED: "A gate or hook whose failure ends the attempt did not agree.",
    Reason.DEADLINE_EXCEEDED: "The canary was not ready within the progress deadline.",
    Reason.HOLDING: "The step's hold time is not over.",
    Reason.WAITING_FOR_WRITE: "The weights are not in the routes yet.",
    Reason.WAITING_FOR_ROUTES: "The gateway has not accepted the routes as they stand.",
    Reason.WAITING_FOR_APPROVAL: "The step needs a person's approval.",
    Reason.WAITING_FOR_GATE: "A gate does not agree, or a hook of the step has not taken its call.",
    Reason.WAITING_FOR_REQUESTS: "The step asks for more canary requests.",
    Reason.WAITING_FOR_FRESH_TICK: "No new sample was judged since the controller started.",
    Reason.WEIGHTS_INEFFECTIVE: "The canary's share of requests is far from its weight.",
    Reason.DRIFT_DETECTED: "Somebody else changed the weights.",
    Reason.OWNERSHIP_CONFLICT: "Somebody else changes the weights again and again.",
    Reason.ROLES_UNKNOWN: "The weights do not tell which backend is stable.",
    Reason.ADOPTED: "The roles were taken from the weights, or from a person's word.",
    Reason.SUSPENDED: "The Rollout is suspended; nothing is written.",
    Reason.INVALID: "The Rollout cannot be used as it is; it starts and advances nothing.",
    Reason.VALID: "What was wrong is right again.",
    Reason.UNRECORDED: "The weights were put back although the status could not be written.",
    Reason.DELETING: "The Rollout is being deleted; stable gets all weight first.",
    Reason.GAVE_UP: "The Rollout is deleted although its weights could not be put back; they are as they were left.",
    Reason.ON_BACKUP: "All weight was found on a backup.",
    Refusal.ILLEGAL: "The command is not legal in this phase.",
    Refusal.UNKNOWN: "There is no such command.",
    Refusal.BAD_ARGUMENT: "An argument of the command is missing or wrong.",
    Refusal.EXPIRED: "The command is older than five minutes.",
    Refusal.NO_FAILOVER: "The command belongs to failover, and the Rollout has none.",
    Refusal.FAILED_OVER: "The command waits until failover is Normal.",
    Refusal.STABLE_DOWN: "Stable has no ready endpoint while it gets the canary's pod template.",
    Refusal.AT_WORK: "The attempt runs this revision already.",
    Refusal.ABORTED_BEFORE: "The revision was aborted; retry starts it again.",
    Refusal.NOTHING_TO_UNDO: "There is no previous stable to go back to.",
    Refusal.NO_STEPS: "There is no next step.",
}
"""What each reason means, in one sentence (the reference is generated from this)."""

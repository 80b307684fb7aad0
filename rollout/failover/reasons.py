"""The reasons of failover: CamelCase constants that stand unchanged in status, condition, log, event and API."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why failover stands where it does; ``MEANING`` has a sentence for each."""

    WATCHING = "Watching"
    BLIND = "HealthUnknown"
    PRIMARY_DOWN = "PrimaryDown"
    PARTLY_DOWN = "PrimaryPartlyDown"
    BACKUP_DOWN = "BackupDown"
    PRIMARY_UP = "PrimaryUp"
    FAILED_OVER = "FailedOver"
    MAINTENANCE = "PrimaryScaledToZero"
    ON_BACKUP = "OnBackup"
    NO_HEALTHY_BACKUP = "NoHealthyBackup"
    ALL_UNHEALTHY = "AllUnhealthy"
    COOLING_DOWN = "CoolingDown"
    SUSPECT_OBSERVER = "SuspectObserver"
    OBSERVING = "ObservingOnly"
    STOPPED = "FailoverStopped"
    SUSPENDED = "Suspended"
    PROPOSED = "FailoverProposed"
    RAMPING = "RampingUp"
    SHIFTED = "BackupsShifted"
    RESCUED = "BackOnPrimary"
    NOT_YET_STABLE = "WaitingForStableHealth"
    WAITING_FOR_FAILBACK = "WaitingForFailback"
    OUTSIDE_WINDOW = "OutsideFailbackWindow"
    FAILING_BACK = "FailingBack"
    WAITING_FOR_HEALTH = "WaitingForHealth"
    WAITING_FOR_SAMPLES = "WaitingForSamples"
    FAILBACK_BROKE = "FailbackBroke"
    FAILED_BACK = "FailedBack"
    LATCHED = "Latched"
    HELD = "HeldByCommand"
    UNLATCHED = "Unlatched"
    STANDBY_GIVEN = "StandbyGiven"
    STANDBY_TAKEN = "StandbyTaken"
    DRILLING = "Drilling"
    DRILL_ENDED = "DrillEnded"
    DRILL_SKIPPED = "DrillSkipped"
    INEFFECTIVE = "Ineffective"
    ADOPTED = "FailoverAdopted"


class Refusal(StrEnum):
    """Why a command was refused; nothing changed."""

    ILLEGAL = "IllegalInStage"
    OLD_NUMBER = "OldNumber"
    NO_SUCH_BACKUP = "NoSuchBackup"
    BACKUP_NOT_HEALTHY = "BackupNotHealthy"
    PRIMARY_NOT_HEALTHY = "PrimaryNotHealthy"
    NOTHING_PROPOSED = "NothingProposed"
    NO_DRILL = "NoDrill"
    SUSPENDED = "Suspended"
    OBSERVING = "ObservingOnly"


MEANING: dict[str, str] = {
    Reason.WATCHING: "The primary is up and carries the traffic.",
    Reason.BLIND: "Nobody can tell whether the primary is up, so nothing moves.",
    Reason.PRIMARY_DOWN: "The primary is down; it is being confirmed.",
    Reason.PARTLY_DOWN: "A part of the primary is down; traffic spills over if it lasts.",
    Reason.BACKUP_DOWN: "The backup that carries traffic is down; it is being confirmed.",
    Reason.PRIMARY_UP: "The primary is not down any more; nothing was moved.",
    Reason.FAILED_OVER: "Traffic was moved to a backup.",
    Reason.MAINTENANCE: "The primary was scaled to zero on purpose; traffic was moved, and it counts as no failure.",
    Reason.ON_BACKUP: "A backup carries the traffic.",
    Reason.NO_HEALTHY_BACKUP: "The primary is down, and no backup is known to be healthy; nothing moves.",
    Reason.ALL_UNHEALTHY: "No backend is healthy; shares are as allUnhealthy asks.",
    Reason.COOLING_DOWN: "The last move is too recent for another one.",
    Reason.SUSPECT_OBSERVER: "Too many primaries are down at once on one signal; a second one is waited for.",
    Reason.OBSERVING: "The mode is Observe: what would be done is told and not done.",
    Reason.STOPPED: "All automatic failover is stopped by the operator.",
    Reason.SUSPENDED: "The Rollout is suspended: nothing is written, also no failover.",
    Reason.PROPOSED: "A failover is proposed and waits for an approval of its number.",
    Reason.RAMPING: "A cold backup gets its share in parts.",
    Reason.SHIFTED: "What the tiers have changed with their health.",
    Reason.RESCUED: "The backup was lost, and the primary could take the traffic back at once.",
    Reason.NOT_YET_STABLE: "The primary has not been healthy for long enough to go back.",
    Reason.WAITING_FOR_FAILBACK: "Failback waits for a person's command with the failover's number.",
    Reason.OUTSIDE_WINDOW: "Failback waits for one of its windows.",
    Reason.FAILING_BACK: "Traffic goes back step by step.",
    Reason.WAITING_FOR_HEALTH: "Nobody knows for certain that the backend is healthy that is to get traffic.",
    Reason.WAITING_FOR_SAMPLES: "Metrics have not yet judged the traffic of this failback step.",
    Reason.FAILBACK_BROKE: "The primary failed during failback; all went to the backup again, and the wait grew.",
    Reason.FAILED_BACK: "Failback is done.",
    Reason.LATCHED: "Failovers came too often: traffic stays on the backup until unlatch.",
    Reason.HELD: "A person ordered that nothing moves until unlatch.",
    Reason.UNLATCHED: "A person ended the latch.",
    Reason.STANDBY_GIVEN: "The idle backup is healthy and has its standby weight.",
    Reason.STANDBY_TAKEN: "The idle backup is not healthy and lost its standby weight.",
    Reason.DRILLING: "A drill gives a part of the traffic to the backup.",
    Reason.DRILL_ENDED: "A drill is over; its outcome is recorded.",
    Reason.DRILL_SKIPPED: "A drill was due and did not take place.",
    Reason.INEFFECTIVE: "The weights were written, and the gateway does not follow.",
    Reason.ADOPTED: "Traffic was found on a backup, and is taken as failed over.",
    Refusal.ILLEGAL: "The command is not legal where failover stands.",
    Refusal.OLD_NUMBER: "The command names another failover than the present one.",
    Refusal.NO_SUCH_BACKUP: "There is no backup of this name.",
    Refusal.BACKUP_NOT_HEALTHY: "The backup is not known to be healthy.",
    Refusal.PRIMARY_NOT_HEALTHY: "The primary is not known to be healthy.",
    Refusal.NOTHING_PROPOSED: "No failover waits for an approval.",
    Refusal.NO_DRILL: "A drill cannot take place now.",
}
"""What each reason means, in one sentence (the reference is generated from this)."""


@dataclass(frozen=True, slots=True)
class Word:
    """A reason and its sentence; ``loud`` ones are told once while they last."""

    reason: str
    message: str
    loud: bool = False

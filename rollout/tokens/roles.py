"""What a token can be good for. Imports nothing heavy, since the command line names the roles in its help."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a token is good for."""

    VIEWER = "viewer"
    OPERATOR = "operator"

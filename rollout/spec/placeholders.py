"""Placeholders in text: how they are written, which exist in queries, and what is put in their place.

``{{ namespace }}``, ``{{ route.name }}``, ``{{ backend.name }}`` and ``{{ backend.port }}``; anything
else in double braces is refused where a manifest is read, so ``fill`` meets only these. Called by
the models (``refuse_unknown``) and by whoever asks a metrics source (``fill``); other texts have names of their own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

PLACEHOLDERS = ("namespace", "route.name", "backend.name", "backend.port")
"""All that may stand between ``{{`` and ``}}``."""

ALLOWED = ", ".join(f"{{{{ {name} }}}}" for name in PLACEHOLDERS)
"""The placeholders as people write them."""

KNOWN = r"\{{\{{\s*({})\s*\}}\}}".format("|".join(name.replace(".", r"\.") for name in PLACEHOLDERS))
"""The pattern of a placeholder."""

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def text_pattern(plain: str) -> str:
    """Return the pattern of text in which every placeholder is known; ``plain`` is any other character but ``{``.

    One ``{`` may stand anywhere but before another one, since two begin a placeholder.
    """
    return rf"(\{{?({plain}|{KNOWN}))*\{{?"


def placeholders_in(text: str) -> tuple[str, ...]:
    """Return the names between double braces in ``text``, in order, known or not."""
    return tuple(_PLACEHOLDER.findall(text))


def refuse_unknown(text: str, *, known: Collection[str] = PLACEHOLDERS) -> str:
    """Return ``text``, in which only ``known`` names may stand, as it is.

    Raises:
        ValueError: it holds a placeholder that does not exist, or braces that are never closed.
    """
    unknown = [name for name in placeholders_in(text) if name not in known]
    if unknown:
        raise ValueError(f"has the unknown placeholder {{{{ {unknown[0]} }}}}")
    if "{{" in _PLACEHOLDER.sub("", text):
        raise ValueError("has a placeholder that is not closed by }}")
    return text


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with each placeholder replaced; ``values`` has a value for each name that is known."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)

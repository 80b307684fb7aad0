"""Tables as plain text: columns with two spaces between, no lines, nothing cut unless a terminal is too narrow.

Pure. Called by ``get``, ``history`` and ``describe``; knows nothing of what stands in the cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    ``gives`` says how soon it is cut where there is too little room: the largest first, 0 never. It keeps at least
    ``least`` characters; where that is not enough, lines are longer than the terminal is wide.
    """

    title: str
    gives: int = 0
    least: int = 8


def lines(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    colours: Mapping[tuple[int, int], str] | None = None,
) -> list[str]:
    """Return the title and the rows; ``width`` None: as wide as it gets.

    ``colours`` has (row, column) -> an ANSI prefix; it is closed after the cell.
    """
    widths = _widths(columns, rows, width)
    titles = [column.title for column in columns]
    return [_line(titles, widths, {}), *(_line(row, widths, _of_row(colours, at)) for at, row in enumerate(rows))]


def _of_row(colours: Mapping[tuple[int, int], str] | None, at: int) -> Mapping[int, str]:
    return {column: colour for (row, column), colour in (colours or {}).items() if row == at}


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    widths = [max(len(column.title), *(len(row[at]) for row in rows), 0) for at, column in enumerate(columns)]
    if width is None:
        return widths
    over = sum(widths) + len(GAP) * (len(widths) - 1) - width
    for at in sorted(range(len(columns)), key=lambda at: -columns[at].gives):
        if over <= 0 or not columns[at].gives:
            break
        cut = min(over, max(0, widths[at] - max(columns[at].least, len(columns[at].title))))
        widths[at] -= cut
        over -= cut
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], colours: Mapping[int, str]) -> str:
    parts = []
    for at, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        shown = cell if len(cell) <= width else f"{cell[: width - 1]}…"
        padded = shown if at == len(widths) - 1 else shown.ljust(width)
        parts.append(f"{colours[at]}{shown}\x1b[0m{padded[len(shown) :]}" if at in colours else padded)
    return GAP.join(parts).rstrip()

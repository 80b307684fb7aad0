"""The source of `rollout/` as the measures see it: files, functions, and how long and deep they are."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[2]
PURE = ("analysis", "engine", "failover", "spec")

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef
NESTING = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Function:
    """One function or method: where it is, its lines without the docstring, its arguments without self and cls."""

    where: str
    name: str
    lines: int
    arguments: tuple[str, ...]
    positional: int
    depth: int
    pure: bool


@dataclass(frozen=True, slots=True)
class File:
    """One module, with its number of lines and the functions in it."""

    path: str
    lines: int
    pure: bool
    tree: ast.Module
    functions: tuple[Function, ...]


@cache
def files() -> tuple[File, ...]:
    """Return every module of `rollout/`, read once for each run."""
    return tuple(_file(path) for path in sorted((ROOT / "rollout").rglob("*.py")))


def functions() -> tuple[Function, ...]:
    """Return every function of `rollout/`."""
    return tuple(chain.from_iterable(file.functions for file in files()))


def names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every name that the module gives to something of its own."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case _:
                pass


def _file(path: Path) -> File:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    where = path.relative_to(ROOT).as_posix()
    pure = path.relative_to(ROOT / "rollout").parts[0] in PURE
    found = tuple(_function(node, where, pure=pure) for node in ast.walk(tree) if isinstance(node, AnyFunction))
    return File(where, len(text.splitlines()), pure, tree, found)


def _function(node: AnyFunction, where: str, *, pure: bool) -> Function:
    told = node.body[0]
    docstring = 0
    if ast.get_docstring(node, clean=False) is not None:
        docstring = (told.end_lineno or told.lineno) - told.lineno + 1
    first = [arg for arg in node.args.posonlyargs + node.args.args if arg.arg not in {"self", "cls"}]
    return Function(
        where=f"{where}:{node.lineno} {node.name}",
        name=node.name,
        lines=(node.end_lineno or node.lineno) - node.lineno + 1 - docstring,
        arguments=tuple(arg.arg for arg in first + node.args.kwonlyargs),
        positional=len(first),
        depth=_depth(node.body),
        pure=pure,
    )


def _depth(body: list[ast.stmt]) -> int:
    """Return how deep blocks lie in blocks; an `elif` is as deep as its `if`, a definition starts anew."""
    return max((_depth_of(statement) for statement in body), default=0)


def _depth_of(node: ast.stmt) -> int:
    if isinstance(node, DEFINITIONS) or not isinstance(node, NESTING):
        return 0
    inside = [_depth(body) for body in _blocks(node)]
    if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        return max(1 + _depth(node.body), _depth_of(node.orelse[0]))
    return 1 + max(inside, default=0)


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        yield getattr(node, field, [])
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield part.body

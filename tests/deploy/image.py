"""The image without a container engine: the Dockerfile's own lines, carried out, and a root like that of its container.

The wheel is built and installed into an environment at /opt/rollout by the very commands of deploy/image/Dockerfile; a
program of it then runs below a root filesystem that is read-only, as the user of the image, with its variables. What
a container has that this has not: its own Python, and an end of its own for processes and network.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.rendering import DEPLOY
from tests.tools import missing, require

TREE = DEPLOY.parent
DOCKERFILE = DEPLOY / "image" / "Dockerfile"
PINNED = DEPLOY / "image" / "base.txt"
PLACE = "/opt/rollout"
_PROGRAMS = ("unshare", "mount", "chroot")
_OF_SYSTEM = ("/usr", "/etc/ssl", "/etc/passwd", "/etc/resolv.conf", "/etc/localtime", "/proc", "/dev")
_LINKS = ("bin", "lib", "lib64", "sbin")


def instructions() -> Iterator[tuple[int, str, str]]:
    """Yield each instruction with the number of its stage: its word, and the rest."""
    stage = 0
    for line in DOCKERFILE.read_text(encoding="utf-8").splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stage += 1
        if word and not word.startswith("#"):
            yield stage, word, rest


def variables(stage: int) -> dict[str, str]:
    """Return the variables that a stage sets."""
    lines = (rest for where, word, rest in instructions() if (where, word) == (stage, "ENV"))
    return dict(pair.partition("=")[::2] for line in lines for pair in shlex.split(line))


def require_namespaces() -> None:
    """Go on only where a mount namespace can be made by root."""
    for name in _PROGRAMS:
        require(shutil.which(name), f"no {name} on PATH (Debian: util-linux), which makes the root of a container")
    tried = subprocess.run(
        [str(shutil.which("unshare")), "--mount", "mount", "-t", "tmpfs", "none", "/opt"],
        capture_output=True,
        text=True,
        check=False,
    )
    require(tried.returncode == 0, f"no mount namespace of our own on this machine: {tried.stderr.strip()}")


@dataclass(frozen=True, slots=True)
class Built:
    """The environment that the first stage made; ``log`` is what its commands said."""

    environment: Path
    log: str

    @property
    def wheels(self) -> list[str]:
        """Return the names of the wheels that were built."""
        return [path.name for path in (self.environment.parent / "dist").glob("*.whl")]


def build(folder: Path) -> Built:
    """Carry out the first stage with what this machine has: its Python, its uv, and uv's cache."""
    environment, source, dist = folder / "rollout", folder / "src", folder / "dist"
    for made in (environment, source, dist):
        made.mkdir(parents=True)
    given = variables(1) | {"UV_NO_CACHE": "false", "UV_COMPILE_BYTECODE": "false", "UV_PYTHON": sys.executable}
    log = []
    for stage, word, rest in instructions():
        if stage != 1 or word not in {"COPY", "RUN"}:
            continue
        if word == "COPY":
            *what, _ = rest.split()
            _copy(what, source)
        elif "$BASE" in rest:
            log.append(_checked(rest, PINNED.read_text(encoding="utf-8").strip()))
        elif rest.startswith("uv "):
            log.append(_carry_out(rest.replace("/dist", str(dist)), source, environment, given))
        else:
            assert rest.startswith("pip install"), f"a command that this test cannot carry out: {rest}"
    return Built(environment, "\n".join(log))


def _checked(command: str, base: str) -> str:
    done = check_base(command, base)
    assert done.returncode == 0, done.stderr
    return done.stderr


def check_base(command: str, base: str) -> subprocess.CompletedProcess[str]:
    """Carry out the line that looks at what the image is built on."""
    return subprocess.run(
        ["/bin/sh", "-c", command], env={"BASE": base}, capture_output=True, text=True, timeout=20, check=False
    )


def _copy(what: Sequence[str], source: Path) -> None:
    for name in what:
        path = TREE / name
        if path.is_dir():
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / path.name)


def _carry_out(command: str, source: Path, environment: Path, given: Mapping[str, str]) -> str:
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    uv = found or missing("no uv on PATH or beside Python: run `make check` once")
    inside = f"mount -t tmpfs none /opt && mkdir {PLACE} && mount --bind {environment} {PLACE} && exec {command}"
    path = f"{Path(uv).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(shutil.which("unshare")), "--mount", "--propagation", "private", "sh", "-c", inside],
        cwd=source,
        env={**_kept(), **given, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stderr[-3000:]}"
    return done.stderr


def _kept() -> dict[str, str]:
    """Return our variables without those that choose another environment or settings."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "ROLLOUT_", "PYTHON"))
    }


@dataclass(frozen=True, slots=True)
class Container:
    """A root filesystem over an environment, and what is mounted into it: path inside → folder or file outside."""

    built: Built
    folder: Path
    mounts: Mapping[str, Path] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that runs the image's program with these arguments."""
        entry = next(rest for stage, word, rest in instructions() if (stage, word) == (2, "ENTRYPOINT"))
        (program,) = (word.strip('"') for word in entry.strip("[]").split(","))
        user = next(rest for stage, word, rest in instructions() if (stage, word) == (2, "USER"))
        return [
            *("unshare", "--mount", "--propagation", "private", "sh", "-ec", self._root(), "root"),
            *(str(shutil.which("chroot")), f"--userspec={user}", "--groups=", str(self.folder), program, *arguments),
        ]

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of the image and ``more``; nothing of ours."""
        mark = {name: value for name, value in os.environ.items() if name == "ROLLOUT_TEST_RUN"}
        return {**mark, **variables(2), **more}

    def _root(self) -> str:
        """Return the script that makes the root, read-only in all its parts, and begins what follows in it."""
        root, base = shlex.quote(str(self.folder)), Path(sys.base_prefix)
        lines = [f"mount -t tmpfs none {root}", f"cd {root}"]
        lines += [f"[ ! -L /{name} ] || ln -s usr/{name} {name}" for name in _LINKS]
        given = {path: Path(path) for path in (*_OF_SYSTEM, str(base)) if Path(path).exists()}
        for path, outside in {**given, PLACE: self.built.environment, **self.mounts}.items():
            lines += _bound(path, outside)
        return "\n".join([*lines, "mount -o remount,ro,bind .", "cd /", 'exec "$@"'])


def _bound(path: str, outside: Path) -> list[str]:
    inside, source = shlex.quote(f".{path}"), shlex.quote(str(outside.resolve()))
    place = f"mkdir -p {inside}" if outside.is_dir() else f"mkdir -p $(dirname {inside}) && touch {inside}"
    readable = [] if path in {"/proc", "/dev"} else [f"mount -o remount,ro,bind {inside}"]
    return [place, f"mount --bind {source} {inside}", *readable]

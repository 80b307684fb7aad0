"""One file on disk: replaced in one step, or not at all."""

import os
from pathlib import Path

import pytest

from rollout.envoy.staging import RdsPath
from rollout.errors import ConfigurationError, ConflictError, NotOursError, Unavailable
from tests.tools import require


@pytest.fixture
def rds(tmp_path: Path) -> RdsPath:
    """A prepared file `rds/routes.yaml` with the content `old`."""
    (tmp_path / "rds").mkdir()
    (tmp_path / "rds" / "routes.yaml").write_bytes(b"old")
    path = RdsPath(tmp_path / "rds" / "routes.yaml")
    path.prepare()
    return path


def test_the_staging_folder_is_beside_the_watched_one(rds: RdsPath, tmp_path: Path) -> None:
    """Outside, so that Envoy does not see unfinished files; near, so that it is the same filesystem."""
    assert rds.staging == tmp_path / ".rollout-staging"
    assert rds.staging.is_dir()


def test_a_replaced_file_is_another_inode(rds: RdsPath) -> None:
    """It is renamed into place, which is what Envoy watches for."""
    before = rds.path.stat().st_ino

    signature = rds.replace(b"new", expected=b"old")
    rds.sync()

    assert rds.read() == (b"new", signature)
    assert rds.signature() == signature
    assert signature.inode != before


def test_another_content_is_a_conflict_and_nothing_is_left(rds: RdsPath) -> None:
    """What somebody else wrote stays."""
    rds.path.write_bytes(b"theirs")

    with pytest.raises(ConflictError):
        rds.replace(b"new", expected=b"old")

    assert rds.path.read_bytes() == b"theirs"
    assert not list(rds.staging.iterdir())


def test_a_file_that_is_gone_is_not_ours(rds: RdsPath) -> None:
    """Nothing is written in its place: somebody took it away on purpose."""
    rds.path.unlink()

    with pytest.raises(NotOursError):
        rds.replace(b"new", expected=b"old")

    assert rds.signature() is None


def test_a_staging_folder_that_is_gone_is_unavailable(rds: RdsPath) -> None:
    """The file in place stays as it is."""
    rds.staging.rmdir()

    with pytest.raises(Unavailable):
        rds.replace(b"new", expected=b"old")

    assert rds.path.read_bytes() == b"old"


def test_leftovers_of_a_crash_are_taken_away(rds: RdsPath) -> None:
    """Only those of this file: another table may share the folder."""
    (rds.staging / "rds.routes.yaml.0123.staged").touch()
    (rds.staging / "other.routes.yaml.0123.staged").touch()

    rds.prepare()

    assert [path.name for path in rds.staging.iterdir()] == ["other.routes.yaml.0123.staged"]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """With the folder's name."""
    with pytest.raises(ConfigurationError, match=r"does not exist.*nowhere"):
        RdsPath(tmp_path / "nowhere" / "routes.yaml").prepare()


def test_a_symbolic_link_is_refused(rds: RdsPath, tmp_path: Path) -> None:
    """Renaming over it would replace the link and leave its target behind."""
    link = tmp_path / "rds" / "link.yaml"
    link.symlink_to(rds.path)

    with pytest.raises(ConfigurationError, match="symbolic link"):
        RdsPath(link).prepare()


def test_staging_in_the_watched_folder_is_refused(rds: RdsPath) -> None:
    """Envoy would look at every unfinished file."""
    with pytest.raises(ConfigurationError, match="in the wrong place"):
        RdsPath(rds.path, rds.path.parent).prepare()


def test_staging_on_another_filesystem_is_refused(rds: RdsPath) -> None:
    """A rename from there would be a copy, which Envoy might see half done."""
    staging = Path("/dev/shm") / f"rollout-test-{os.getpid()}"  # noqa: S108
    require(staging.parent.is_dir() and staging.parent.stat().st_dev != rds.path.stat().st_dev, "no second filesystem")
    try:
        with pytest.raises(ConfigurationError, match="same filesystem"):
            RdsPath(rds.path, staging).prepare()
    finally:
        staging.rmdir()


def test_staging_that_cannot_be_made_is_told(rds: RdsPath) -> None:
    """A file in its place, for example."""
    with pytest.raises(ConfigurationError, match="cannot be used"):
        RdsPath(rds.path, rds.path).prepare()


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """As a problem of the configuration, with the file's name."""
    with pytest.raises(ConfigurationError, match=r"routes\.yaml.*No such file"):
        RdsPath(tmp_path / "routes.yaml").read()


def test_mode_and_owner_are_kept(rds: RdsPath) -> None:
    """Envoy often runs as another user."""
    rds.path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(rds.path, 12345, 54321)
    before = rds.path.stat()

    rds.replace(b"new", expected=b"old")

    after = rds.path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)

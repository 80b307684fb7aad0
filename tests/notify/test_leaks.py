"""The search for secrets finds them."""

from pathlib import Path

from tests.notify.leaks import leaks


def test_a_secret_is_found_in_files_and_in_what_was_said(tmp_path: Path) -> None:
    """Wherever it stands, but in the file that it belongs to."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log").write_text("called https://x.example/T0key for nothing")
    (tmp_path / "bus.url").write_text("https://x.example/T0key")

    found = leaks(tmp_path, ["T0key", "other"], {"answer": b'{"url": "T0key"}', "fine": b"{}"})

    assert found == [f"{tmp_path / 'deep' / 'log'}: T0key", "answer: T0key"]

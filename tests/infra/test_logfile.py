from pathlib import Path

from infra.embedded.logfile import LogStream, RotatingLog


def test_a_log_and_its_predecessor_stay_within_bounds(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "part.log", max_bytes=1000)

    for number in range(500):
        log.write(f"line {number}\n".encode())
    log.close()

    assert {path.name for path in tmp_path.iterdir()} == {"part.log", "part.log.1"}
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert (tmp_path / "part.log").read_text().endswith("line 499\n")


def test_the_last_lines_are_at_hand_across_a_rotation(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "part.log", max_bytes=10)

    for line in (b"first\n", b"second\n", b"third\n"):
        log.write(line)

    assert log.last_lines(2) == ["second", "third"]


def test_a_log_that_was_closed_costs_its_line_and_nothing_else(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "part.log")
    log.close()

    log.write(b"too late\n")

    assert (tmp_path / "part.log").read_text() == ""


def test_text_written_to_a_stream_reaches_the_log(tmp_path: Path) -> None:
    stream = LogStream(RotatingLog(tmp_path / "up.log"))

    print("Loupe is up", file=stream)

    assert (tmp_path / "up.log").read_text() == "Loupe is up\n"
    assert not stream.isatty()

"""Ids and names: what is allowed, and that two installations on one broker and Redis never meet."""

import pytest

from services.contract.names import FrameId, InvalidIdError, Names, checked_id


@pytest.mark.parametrize("value", ["a", "7", "line-1", "brushed-metal", "a" * 40])
def test_good_ids(value: str) -> None:
    assert checked_id(value, "line") == value


@pytest.mark.parametrize("value", ["", "-a", "A", "a_b", "a b", "a/b", "a:b", "a.b", "ü", "a" * 41, "a\n", "*"])
def test_bad_ids_are_quoted_with_what_was_expected(value: str) -> None:
    with pytest.raises(InvalidIdError, match="line: expected 1-40 characters"):
        checked_id(value, "line")


def test_a_frame_id_is_its_own_text() -> None:
    frame_id = FrameId("metal", "top", "s1", 41)

    assert str(frame_id) == "metal/top/s1/41"
    assert FrameId.parse(str(frame_id)) == frame_id
    assert frame_id.camera_key == "metal/top"


@pytest.mark.parametrize("text", ["", "a/b/c", "a/b/c/d", "a/b/c/1/2", "a/b/c/-1", "a/b/c/1.5", "a//c/1", "A/b/c/1"])
def test_what_is_no_frame_id(text: str) -> None:
    with pytest.raises(InvalidIdError):
        FrameId.parse(text)


def test_a_negative_sequence_is_refused() -> None:
    with pytest.raises(InvalidIdError, match="sequence"):
        FrameId("a", "b", "c", -1)


def test_names_are_those_of_the_design() -> None:
    names = Names()

    assert (names.frames, names.dead_letter, names.inspections, names.verdicts) == ("frames", "frames.dead-letter", "inspections", "verdicts")
    assert (names.live("metal"), names.count("metal"), names.count_minute("metal", 29)) == ("live:metal", "count:metal", "count:metal:29")
    assert (names.written, names.written_field("id", 3), names.ledger("id")) == ("written", "id/3", "ledger:id")
    assert (names.mask("a/b/c/1"), names.preview("metal"), names.watched("metal"), names.active("metal")) == (
        "mask:a/b/c/1",
        "preview:metal",
        "watched:metal",
        "active:metal",
    )


def test_no_name_of_one_prefix_is_a_name_of_another() -> None:
    plain, bench = every_name(Names()), every_name(Names("bench-"))

    assert len(set(plain)) == len(plain)
    assert not set(plain) & set(bench)
    assert all(name.startswith("bench-") for name in bench)


def every_name(names: Names) -> list[str]:
    """Properties as they are; functions of a line called with a line."""
    arguments = {"count_minute": ("metal", 1), "source": ("metal", "top")}
    members = [name for name in dir(Names) if not name.startswith("_") and name not in ("prefix", "written_field")]
    found = [(name, getattr(names, name)) for name in members]
    return [value(*arguments.get(name, ("metal",))) if callable(value) else value for name, value in found]

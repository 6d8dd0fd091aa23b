"""Groups and splits: what belongs together stays together, and nothing that was given is ever moved."""

import random
from collections import Counter

import pytest

from training.splits import NOTHING_GIVEN, Claim, Given, Shares, Split, assign, part_group, session_group

SHARES = Shares()
TRAIN, CALIBRATION, HELD_OUT = Split


def part(number: int | str) -> str:
    return part_group("metal", str(number))


def session(number: int | str) -> str:
    return session_group("metal", "top", f"s{number}")


def first_part(split: Split, *, but: str = "") -> str:
    """A part that the hash gives to this split."""
    return next(part(n) for n in range(1000) if SHARES.split_of("salt", part(n)) is split and part(n) != but)


def first_session(split: Split) -> str:
    return next(session(n) for n in range(1000) if SHARES.split_of("salt", session(n)) is split)


def placed(claims: dict[str, str], alike: tuple[tuple[str, str], ...] = (), given: Given = NOTHING_GIVEN) -> tuple[dict[str, tuple[str, Split | None]], Given]:
    places, after = assign([Claim(picture, group) for picture, group in claims.items()], alike, given, shares=SHARES, salt="salt")
    return {picture: (place.group, place.split) for picture, place in places.items()}, after


def test_shares_are_kept_over_many_groups() -> None:
    counted = Counter(SHARES.split_of("salt", part(number)) for number in range(20_000))

    assert counted[HELD_OUT] / 20_000 == pytest.approx(0.15, abs=0.01)
    assert counted[CALIBRATION] / 20_000 == pytest.approx(0.15, abs=0.01)


def test_another_salt_gives_other_splits() -> None:
    assert [SHARES.split_of("salt", part(n)) for n in range(50)] != [SHARES.split_of("pepper", part(n)) for n in range(50)]


@pytest.mark.parametrize(("calibration", "held_out"), [(-0.1, 0.1), (0.5, 0.5), (0, 1)])
def test_shares_that_leave_nothing_to_learn_from_are_refused(calibration: float, held_out: float) -> None:
    with pytest.raises(ValueError, match="below 1 together"):
        Shares(calibration, held_out)


def test_all_pictures_of_a_part_are_in_one_split() -> None:
    places, _ = placed({f"picture-{n}": part(n // 6) for n in range(60)})

    assert len({places[f"picture-{n}"] for n in range(6)}) == 1


def test_a_group_stays_where_it_was_when_shares_change() -> None:
    _, given = placed({"a": first_part(TRAIN)})

    places, _ = assign([Claim("a", first_part(TRAIN)), Claim("b", first_part(TRAIN))], (), given, shares=Shares(0.01, 0.98), salt="salt")

    assert {place.split for place in places.values()} == {TRAIN}


def test_new_parts_that_are_alike_are_one_group() -> None:
    places, _ = placed({"a": part(1), "b": part(2), "c": part(2)}, (("a", "b"),))

    assert len(set(places.values())) == 1


def test_a_new_part_goes_where_the_part_went_that_it_is_like() -> None:
    for split in Split:
        before = first_part(split)
        _, given = placed({"a": before})

        places, _ = placed({"a": before, "b": "metal/part/new"}, (("a", "b"),), given)

        assert places["b"] == places["a"] == (before, split)


def test_of_parts_in_different_splits_that_are_alike_the_stricter_one_keeps_its_pictures_and_the_other_is_left_out() -> None:
    taught, measured = first_part(TRAIN), first_part(HELD_OUT)
    _, given = placed({"a": taught, "b": measured})

    places, _ = placed({"a": taught, "b": measured, "c": taught}, (("c", "b"),), given)

    assert places == {"a": (measured, None), "b": (measured, HELD_OUT), "c": (measured, HELD_OUT)}


def test_what_was_left_out_stays_out_and_what_was_joined_stays_joined_without_being_compared_again() -> None:
    taught, measured = first_part(TRAIN), first_part(HELD_OUT)
    _, given = placed({"a": taught, "b": measured})
    _, given = placed({"a": taught, "b": measured, "c": taught}, (("c", "b"),), given)

    with_all, _ = placed({"a": taught, "b": measured, "c": taught, "d": taught}, (), given)
    without, _ = placed({"d": taught}, (), given)

    assert (with_all["a"][1], with_all["d"][1], without["d"][1]) == (None, HELD_OUT, HELD_OUT)


def test_a_calibration_part_that_is_like_a_held_out_one_calibrates_no_more() -> None:
    calibrating, measured = first_part(CALIBRATION), first_part(HELD_OUT)
    _, given = placed({"a": calibrating, "b": measured})

    places, _ = placed({"a": calibrating, "b": measured, "c": part("new")}, (("a", "c"), ("b", "c")), given)

    assert [places[name][1] for name in "abc"] == [None, HELD_OUT, HELD_OUT]


def test_a_picture_that_is_like_one_of_another_session_goes_there_alone() -> None:
    """An empty belt looks the same in every session; it must not chain them."""
    one, other = first_session(HELD_OUT), first_session(TRAIN)

    places, _ = placed({"belt": one, "a": one, "same belt": other, "b": other}, (("belt", "same belt"),))

    assert places["a"] == (one, HELD_OUT)
    assert places["b"] == (other, TRAIN)
    assert places["belt"] == places["same belt"]


def test_a_picture_that_left_its_session_stays_where_it_went() -> None:
    one, other = first_session(HELD_OUT), first_session(TRAIN)
    claims = {"belt": one, "a": one, "same belt": other, "b": other}
    before, given = placed(claims, (("belt", "same belt"),))

    again, _ = placed(claims, (), given)

    assert again == before


def test_a_picture_of_a_session_that_shows_a_known_part_goes_with_the_part() -> None:
    measured = first_part(HELD_OUT)
    _, given = placed({"a": measured})

    places, _ = placed({"a": measured, "b": first_session(TRAIN)}, (("b", "a"),), given)

    assert places["b"] == (measured, HELD_OUT)


def test_the_order_of_pictures_changes_nothing() -> None:
    claims = {f"p{n:02}": part(n // 3) if n % 2 else session(n // 5) for n in range(40)}
    alike = tuple((f"p{n:02}", f"p{n + 7:02}") for n in range(0, 30, 5))
    shuffled = dict(random.Random(1).sample(list(claims.items()), len(claims)))

    assert placed(shuffled, alike[::-1]) == placed(claims, alike)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_comes_no_picture_ever_moves_and_nothing_alike_stands_on_two_sides(seed: int) -> None:
    """Pictures arrive in a few builds; each has a twin among all others now and then, some parts, some sessions."""
    dice = random.Random(seed)
    claims: dict[str, str] = {}
    alike: list[tuple[str, str]] = []
    given, seen = NOTHING_GIVEN, dict[str, Split | None]()
    for _ in range(6):
        new = {f"p{len(claims) + n:03}": part(dice.randrange(30)) if dice.random() < 0.5 else session(dice.randrange(8)) for n in range(15)}
        claims |= new
        fresh = [(name, dice.choice(list(claims))) for name in new if dice.random() < 0.2]
        alike += fresh

        places, given = placed(claims, tuple(fresh), given)  # known pairs are not looked at again

        for picture, split in seen.items():
            assert places[picture][1] in (split, None)
        seen = {picture: split for picture, (_, split) in places.items()}
        for one, other in alike:
            assert len({seen[one], seen[other]} - {None}) <= 1
        parts = {claim: {seen[picture] for picture in claims if claims[picture] == claim} - {None} for claim in set(claims.values()) if "/part/" in claim}
        assert max(map(len, parts.values())) <= 1

"""Dataset versions: immutable, named by what is in them, split by what pictures show, and growing without anything moving."""

import json
import os
import random
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from services.contract.verdict import Verdict
from tests.training.dataset_makers import MemoryPictures, drawn, outline, png, surface, verdict
from training import dataset_version
from training.dataset_version import BrokenDatasetError, DatasetError, DatasetNotFoundError, DatasetVersion, Row, read_version
from training.datasets import Datasets
from training.splits import Shares, Split, part_group

SHARES = Shares(0.25, 0.25)


def numbers(split: Split, count: int) -> list[int]:
    """Frames whose part the hash gives to this split."""
    found = (number for number in range(1000) if SHARES.split_of("metal", part_group("metal", f"part-{number}")) is split)
    return [next(found) for _ in range(count)]


def by_frame(version: DatasetVersion) -> dict[int, Row]:
    return {int(row.frame_id.rpartition("/")[2]): row for row in version.rows}


def splits(version: DatasetVersion) -> dict[str, tuple[str, Split]]:
    return {row.picture: (row.group, row.split) for row in version.rows}


def test_the_same_input_is_the_same_version_wherever_it_is_built(store: MemoryPictures, tmp_path: Path) -> None:
    said = [verdict(store, number) for number in range(6)] + [verdict(store, 6, "defect", defect_class="dent", mask=png(outline()))]

    here = Datasets(tmp_path / "a").build("metal", said, store, shares=SHARES)
    again = Datasets(tmp_path / "a").build("metal", said[::-1], store, shares=SHARES)
    there = Datasets(tmp_path / "b").build("metal", said[3:] + said[:3], store, shares=SHARES)

    assert here.id == again.id == there.id
    assert again.card == here.card  # it was there already, and stays as it was
    assert splits(here) == splits(there)


def test_a_version_says_what_is_in_it_and_where_it_comes_from(store: MemoryPictures, all_of: Datasets) -> None:
    teaching, measuring = numbers(Split.TRAIN, 3), numbers(Split.HELD_OUT, 2)
    said = [verdict(store, number) for number in teaching]
    said += [verdict(store, number, "defect", defect_class="dent", mask=png(outline())) for number in measuring[:1]] + [verdict(store, measuring[1], "defect")]

    first = all_of.build("metal", said[:3], store, shares=SHARES)
    second = all_of.build("metal", said, store, shares=SHARES)

    assert (first.card["parent"], second.card["parent"]) == (None, first.id)
    held_out = second.card["splits"]["held-out"]
    assert held_out == {"pictures": 2, "groups": 2, "good": 0, "defect": 2, "unreviewed": 0, "without_mask": 1, "classes": {"dent": 1, "unnamed": 1}}
    assert second.card["verdicts"]["number"] == 5
    row = by_frame(second)[measuring[0]]
    assert (row.verdict_id, row.mask_source, row.group) == (f"v{measuring[0]}-defect", "person", f"metal/part/part-{measuring[0]}")
    assert any(word.startswith("train: a training needs at least 16") for word in second.card["missing"])
    assert all_of.fetch("metal").id == second.id == all_of.fetch(second.id[:8]).id
    assert [one.id for one in all_of.versions("metal")] == [first.id, second.id]


@pytest.mark.parametrize("seed", range(2))
def test_nothing_moves_between_splits_while_answers_come_change_and_go(seed: int, store: MemoryPictures, all_of: Datasets) -> None:
    dice = random.Random(seed)
    said: list[Verdict] = []
    known: dict[str, tuple[str, Split]] = {}
    for turn in range(4):
        said += [verdict(store, 10 * turn + n, dice.choice(["good", "defect"]), part_id=dice.choice([None, f"part-{dice.randrange(12)}"])) for n in range(6)]
        corrected = dice.choice([one for one in said if one.verdict_id not in {other.supersedes for other in said}])
        answer = dice.choice(["good", "withdrawn"])
        said.append(correction(corrected, answer))

        version = all_of.build("metal", said, store, unreviewed=[drawn(store, 100 + turn)], shares=SHARES)

        now = splits(version)
        assert {picture: place for picture, place in now.items() if picture in known} == {picture: known[picture] for picture in now if picture in known}
        known |= now
        assert all(row.answer != "unreviewed" or row.split is Split.TRAIN for row in version.rows)


def correction(before: Verdict, answer: str) -> Verdict:
    fields = {"answer": answer, "defect_class": None, "verdict_id": f"{before.verdict_id}x", "supersedes": before.verdict_id}
    return Verdict(**{**before.model_dump(), **fields, "given_at": before.given_at + timedelta(hours=1)})


def test_a_withdrawn_answer_is_in_no_later_version_and_stays_in_the_earlier_one(store: MemoryPictures, all_of: Datasets) -> None:
    said = [verdict(store, number) for number in range(4)]
    before = all_of.build("metal", said, store, shares=SHARES)

    after = all_of.build("metal", [*said, correction(said[2], "withdrawn")], store, shares=SHARES)

    assert set(by_frame(before)) - set(by_frame(after)) == {2}
    assert read_version(before.path).rows == before.rows


def test_a_corrected_answer_is_in_the_same_split_as_before(store: MemoryPictures, all_of: Datasets) -> None:
    (number,) = numbers(Split.HELD_OUT, 1)
    said = [verdict(store, number, "defect"), verdict(store, number + 500)]
    before = by_frame(all_of.build("metal", said, store, shares=SHARES))[number]

    after = by_frame(all_of.build("metal", [*said, correction(said[0], "good")], store, shares=SHARES))[number]

    assert (before.answer, after.answer) == ("defect", "good")
    assert (before.split, before.group) == (after.split, after.group) == (Split.HELD_OUT, f"metal/part/part-{number}")


def test_unreviewed_frames_teach_or_are_left_out_and_measure_only_once_they_are_answered(store: MemoryPictures, all_of: Datasets) -> None:
    (teaching,), (calibrating,), (measuring,) = (numbers(split, 1) for split in Split)
    unreviewed = [drawn(store, number, probability=0.05) for number in (teaching, calibrating, measuring)]
    other = verdict(store, 900)

    before = all_of.build("metal", [other], store, unreviewed=unreviewed, shares=SHARES)
    after = all_of.build("metal", [other, verdict(store, measuring, probability=0.05, reason="blind-check")], store, unreviewed=unreviewed, shares=SHARES)

    assert {number: (row.answer, row.split, row.weight) for number, row in by_frame(before).items() if number != 900} == {
        teaching: ("unreviewed", Split.TRAIN, 20.0)
    }
    assert before.card["left_out"]["unreviewed, and not of a group that teaches"]["frames"] == 2
    assert (by_frame(after)[measuring].split, by_frame(after)[measuring].weight) == (Split.HELD_OUT, 20.0)


def test_a_newcomer_that_is_like_two_splits_joins_the_stricter_and_the_report_names_what_is_left_out(store: MemoryPictures, all_of: Datasets) -> None:
    """Nothing moves: what taught is left out from now on, else it would tell of what measures."""
    (teaching,), (measuring,) = numbers(Split.TRAIN, 1), numbers(Split.HELD_OUT, 1)
    plain = [verdict(store, number) for number in range(600, 612)]
    one, other = surface(teaching), surface(measuring)
    both = [verdict(store, teaching, image=png(one)), verdict(store, measuring, image=png(other))]
    before = all_of.build("metal", [*plain, *both], store, shares=SHARES)

    bridge = [
        verdict(store, 700, image=png(surface(teaching, darker=9)), part_id="bridge"),
        verdict(store, 701, image=png(surface(measuring, darker=9)), part_id="bridge"),
    ]
    after = all_of.build("metal", [*plain, *both, *bridge], store, shares=SHARES)

    assert (by_frame(before)[teaching].split, by_frame(before)[measuring].split) == (Split.TRAIN, Split.HELD_OUT)
    found = by_frame(after)
    assert teaching not in found
    assert {found[number].group for number in (measuring, 700, 701)} == {f"metal/part/part-{measuring}"}
    assert {found[number].split for number in (measuring, 700, 701)} == {Split.HELD_OUT}
    assert after.card["left_out"]["like one of a stricter split"] == {"frames": 1, "some": [f"metal/top/s1/{teaching}"]}
    assert {number: found[number].split for number in range(600, 612)} == {number: by_frame(before)[number].split for number in range(600, 612)}


def test_a_picture_that_is_gone_damaged_or_none_is_reported_and_the_others_are_built(store: MemoryPictures, all_of: Datasets) -> None:
    said = [verdict(store, number) for number in range(4)]
    said += [verdict(store, 4, image=b"no picture"), verdict(store, 5, "defect", mask=png(outline()))]
    del store.contents[said[1].frame_path]
    store.contents[said[2].frame_path] = png(surface(77))  # a picture, but another one
    store.contents[said[5].mask_path or ""] = b"half a mas"

    version = all_of.build("metal", said, store, shares=SHARES)

    assert set(by_frame(version)) == {0, 3}
    assert version.card["left_out"] == {
        "picture or mask gone or damaged": {"frames": 3, "some": [f"metal/top/s1/{n}" for n in order(said, 1, 2, 5)]},
        "not a readable picture": {"frames": 1, "some": ["metal/top/s1/4"]},
    }


def order(said: list[Verdict], *chosen: int) -> list[int]:
    """As rows are: by the hash of their pictures."""
    return sorted(chosen, key=lambda number: said[number].frame_path.rpartition("/")[2])


def test_where_looks_tell_no_parts_apart_the_groups_that_were_given_stand_and_it_is_said(store: MemoryPictures, all_of: Datasets) -> None:
    same = surface(1)
    said = [verdict(store, number, image=png(noisy(same, number))) for number in range(18)]

    version = all_of.build("metal", said, store, shares=SHARES)

    assert len({row.group for row in version.rows}) == 18
    assert any(word.startswith("alike: too many pictures of different groups look the same") for word in version.card["missing"])


def noisy(pixels: np.ndarray, seed: int) -> np.ndarray:
    return np.clip(pixels + np.random.default_rng(seed).normal(0, 1, pixels.shape), 0, 255).astype(np.uint8)


def test_without_a_picture_there_is_no_version_and_it_is_said_what_to_do(store: MemoryPictures, all_of: Datasets) -> None:
    with pytest.raises(DatasetError, match="review flagged frames, or `loupe dataset import` some"):
        all_of.build("metal", [], store)

    assert all_of.versions() == ()


@pytest.mark.parametrize("moment", [1, 2, 3, 4, 5])
def test_a_build_that_dies_at_any_file_leaves_nothing_to_be_seen_and_the_next_one_is_as_if_it_never_was(
    moment: int, store: MemoryPictures, all_of: Datasets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [verdict(store, number) for number in range(6)]
    first = all_of.build("metal", said[:3], store, shares=SHARES)
    undisturbed = Datasets(tmp_path / "other")
    undisturbed.build("metal", said[:3], store, shares=SHARES)
    expected = undisturbed.build("metal", said, store, shares=SHARES)
    renamed, rename = [], Path.rename

    def dying(self: Path, target: Path) -> Path:
        renamed.append(target)
        if len(renamed) == moment:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", dying)
        with pytest.raises(KeyboardInterrupt):
            all_of.build("metal", said, store, shares=SHARES)

    assert all_of.fetch("metal").id == first.id
    assert {one.id for one in all_of.versions()} <= {first.id, expected.id}
    for one in all_of.versions():
        assert all_of.fetch(one.id).id == one.id
    version = all_of.build("metal", said, store, shares=SHARES)
    assert (version.id, version.card["parent"]) == (expected.id, first.id)


def test_what_a_killed_build_left_is_cleared_away_when_it_is_old(store: MemoryPictures, all_of: Datasets) -> None:
    said = [verdict(store, 1)]
    all_of.build("metal", said, store)
    old, young = (all_of.root / "versions" / f"{dataset_version.BUILDING}{name}" for name in ("old", "young"))
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (0, 0))

    all_of.build("metal", said, store)

    assert (old.exists(), young.exists(), len(all_of.versions())) == (False, True, 1)


def test_a_version_that_was_changed_is_refused_and_listed_with_its_problem(store: MemoryPictures, all_of: Datasets) -> None:
    version = all_of.build("metal", [verdict(store, 1)], store)
    manifest = version.path / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace('"good"', '"defect"'))
    (version.path / "card.json").write_text("{")

    with pytest.raises(BrokenDatasetError, match="not to the name of its folder"):
        all_of.fetch("metal")
    (listed,) = all_of.versions("metal")
    assert "expected the card" in listed.problem


@pytest.mark.parametrize("reference", ["fabric", "ab", "0" * 64])
def test_a_version_that_is_not_there_is_named(reference: str, all_of: Datasets) -> None:
    with pytest.raises(DatasetNotFoundError, match=reference):
        all_of.fetch(reference)


def test_a_broken_lineage_is_not_begun_anew(store: MemoryPictures, all_of: Datasets) -> None:
    """It says which split everything is in."""
    all_of.build("metal", [verdict(store, 1)], store)
    (all_of.root / "lineages" / "metal.json").write_text("{}")

    with pytest.raises(BrokenDatasetError, match="restore it from a backup"):
        all_of.build("metal", [verdict(store, 1)], store)


def test_the_lineage_only_grows(store: MemoryPictures, all_of: Datasets) -> None:
    said = [verdict(store, number) for number in range(5)]
    all_of.build("metal", said, store, shares=SHARES)
    before = json.loads((all_of.root / "lineages" / "metal.json").read_text())

    all_of.build("metal", said[:1], store, shares=Shares(0, 0))

    after = json.loads((all_of.root / "lineages" / "metal.json").read_text())
    assert (after["groups"], after["pictures"]) == (before["groups"], before["pictures"])


def test_a_golden_frame_and_its_part_neither_teach_nor_calibrate_as_long_as_it_is_golden(store: MemoryPictures, all_of: Datasets) -> None:
    teaching, calibrating, measuring = numbers(Split.TRAIN, 2), numbers(Split.CALIBRATION, 2), numbers(Split.HELD_OUT, 2)
    said = [verdict(store, number) for number in (*teaching, *calibrating, *measuring)]
    said.append(verdict(store, 900, part_id=f"part-{teaching[0]}"))  # another picture of a golden part
    golden = [f"metal/top/s1/{some[0]}" for some in (teaching, calibrating, measuring)]

    before = all_of.build("metal", said, store, shares=SHARES)
    version = all_of.build("metal", said, store, shares=SHARES, golden=golden)
    after = all_of.build("metal", said, store, shares=SHARES)

    assert sorted(row.frame_id for row in version.golden) == sorted(golden)
    used = {split: {int(row.frame_id.rpartition("/")[2]) for row in version.of(split)} for split in Split}
    assert used == {Split.TRAIN: {teaching[1]}, Split.CALIBRATION: {calibrating[1]}, Split.HELD_OUT: set(measuring)}
    assert version.card["left_out"] == {"of a golden part": {"frames": 1, "some": ["metal/top/s1/900"]}}
    assert (version.card["golden"], version.card["splits"]["train"]["pictures"]) == (3, 1)
    assert after.id == before.id != version.id

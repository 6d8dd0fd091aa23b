"""What is unlike the other good pictures is named before anything learns from it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.checkpoint import load_codec
from models.dsr import Codec
from models.registry import shipped
from tests.networks import striped
from training.data import Parts
from training.suspects import doubt, rank_suspects, same_pictures

SIDE = 64
GOOD = [striped(seed, side=SIDE) for seed in range(60)]
ALIENS = (7, 23, 41)


@pytest.fixture(scope="module")
def codec() -> Codec:
    return load_codec(shipped("codec"))


def parts_of(folder: Path, pictures: list[np.ndarray], groups: dict[int, str] | None = None) -> Parts:
    """Pictures to learn from, of these groups."""
    paths = tuple(folder / f"{index:02}.png" for index in range(len(pictures)))
    (folder / "groups.csv").write_text("image,group\n" + "".join(f"{paths[index].name},{group}\n" for index, group in (groups or {}).items()))
    return Parts(np.stack(pictures), np.stack(pictures[:1]), {folder.name: len(pictures)}, paths)


def with_aliens() -> list[np.ndarray]:
    """A broad scratch, a spot, and half the light without any stripes."""
    scratch, spot, dark = ALIENS
    pictures = [picture.copy() for picture in GOOD]
    cv2.line(pictures[scratch], (8, 10), (50, 45), (20, 20, 20), 5)
    cv2.circle(pictures[spot], (40, 20), 7, (250, 250, 250), -1)
    pictures[dark][:] = 60
    return pictures


def test_three_alien_pictures_are_ranked_first_and_listed(codec: Codec, tmp_path: Path) -> None:
    ranked = rank_suspects(codec, parts_of(tmp_path, with_aliens()))

    assert {suspicion.path for suspicion in ranked[:3]} == {tmp_path / f"{alien:02}.png" for alien in ALIENS}
    assert all(suspicion.listed and suspicion.distance > 1.2 for suspicion in ranked[:3])
    assert sum(suspicion.listed for suspicion in ranked) <= 4


def test_what_is_listed_is_warned_of_and_named_for_the_card(codec: Codec, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    named = doubt(codec, parts_of(tmp_path, with_aliens()))

    assert {f"{tmp_path.name}/{alien:02}.png" for alien in ALIENS} <= set(named)
    assert "unlike the others" in caplog.text


def test_a_clean_set_lists_next_to_nobody(codec: Codec, tmp_path: Path) -> None:
    ranked = rank_suspects(codec, parts_of(tmp_path, GOOD))

    assert len(ranked) == len(GOOD)
    assert sum(suspicion.listed for suspicion in ranked) <= 1


def test_pictures_of_one_part_do_not_vouch_for_each_other(codec: Codec, tmp_path: Path) -> None:
    pictures = with_aliens()
    scratched = range(10, 16)
    for index in scratched:
        pictures[index] = pictures[ALIENS[0]]
    group = dict.fromkeys((*scratched, ALIENS[0]), "one part")

    ranked = rank_suspects(codec, parts_of(tmp_path, pictures, group))

    assert {f"{index:02}.png" for index in group} <= {suspicion.path.name for suspicion in ranked if suspicion.listed}


def test_one_group_alone_has_nobody_to_be_unlike(codec: Codec, tmp_path: Path) -> None:
    assert rank_suspects(codec, parts_of(tmp_path, GOOD[:5], dict.fromkeys(range(5), "one part"))) == ()


def test_two_groups_are_enough_whatever_their_size(codec: Codec, tmp_path: Path) -> None:
    ranked = rank_suspects(codec, parts_of(tmp_path, GOOD[:5], dict.fromkeys(range(4), "one part")))

    assert len(ranked) == 5
    assert all(np.isfinite(suspicion.z) and np.isfinite(suspicion.distance) for suspicion in ranked)


def test_equal_pictures_arouse_no_suspicion(codec: Codec, tmp_path: Path) -> None:
    ranked = rank_suspects(codec, parts_of(tmp_path, GOOD[:1] * 20))

    assert not any(suspicion.listed for suspicion in ranked)


def test_equal_pictures_are_named_together(tmp_path: Path) -> None:
    found = same_pictures(parts_of(tmp_path, [*GOOD[:4], GOOD[2]]))

    assert found == ((tmp_path / "02.png", tmp_path / "04.png"),)

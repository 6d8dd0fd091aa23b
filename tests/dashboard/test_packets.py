import pytest

from services.dashboard.packets import pack, unpack


def test_a_packet_round_trips() -> None:
    packet = pack("picture", {"line": "bolts", "name": "Schräubchen"}, jpeg=b"\xff\xd8abc", anomaly_map=b"\x89PNG")

    head, jpeg, anomaly_map = unpack(packet)

    assert (head["kind"], head["line"], head["name"]) == ("picture", "bolts", "Schräubchen")
    assert (jpeg, anomaly_map) == (b"\xff\xd8abc", b"\x89PNG")


def test_the_length_comes_first_and_big_endian() -> None:
    packet = pack("wall", {})

    assert int.from_bytes(packet[:4], "big") == len(packet) - 4


def test_a_packet_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        unpack(pack("picture", {}, jpeg=b"1234")[:-1])

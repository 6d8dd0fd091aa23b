import socket

from infra.embedded.ports import LOOPBACK, answers, pick_port


def test_the_usual_port_is_taken_when_nobody_has_it() -> None:
    free = pick_port()

    assert pick_port(free) == free


def test_another_port_is_picked_when_somebody_listens() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        usual = server.getsockname()[1]

        assert answers(usual)
        assert pick_port(usual) != usual


def test_another_port_is_picked_when_this_stack_has_given_it_away_already() -> None:
    usual = pick_port()

    assert pick_port(usual, taken={usual}) != usual

"""How long somebody who guesses has to wait."""

from services.dashboard.attempts import FREE, FREE_OF_ADDRESS, FREE_OF_USER, LONGEST_S, Attempts


def failed(times: int, user: str = "anna", address: str = "10.0.0.1", now: float = 0.0) -> Attempts:
    attempts = Attempts()
    for _ in range(times):
        attempts.failed(user, address, now)
    return attempts


def test_the_first_failures_cost_nothing_and_the_next_ones_ever_more() -> None:
    waits = [failed(times).wait_s("anna", "10.0.0.1", 0.0) for times in (FREE - 1, FREE, FREE + 1, FREE + 2, FREE + 50)]

    assert waits == [0, 15, 30, 60, LONGEST_S]


def test_waiting_ends() -> None:
    attempts = failed(FREE, now=100.0)

    assert attempts.wait_s("anna", "10.0.0.1", 114.0) == 1
    assert attempts.wait_s("anna", "10.0.0.1", 115.0) == 0


def test_others_go_on_from_there_and_the_same_user_from_elsewhere() -> None:
    attempts = failed(FREE)

    assert attempts.wait_s("bert", "10.0.0.1", 0.0) == 0
    assert attempts.wait_s("anna", "10.0.0.2", 0.0) == 0


def test_many_users_guessed_from_one_address_are_noticed() -> None:
    attempts = Attempts()
    for number in range(FREE_OF_ADDRESS):
        attempts.failed(f"user-{number}", "10.0.0.1", 0.0)

    assert attempts.wait_s("anna", "10.0.0.1", 0.0) > 0
    assert attempts.wait_s("anna", "10.0.0.2", 0.0) == 0


def test_one_user_guessed_from_many_addresses_is_noticed() -> None:
    attempts = Attempts()
    for number in range(FREE_OF_USER):
        attempts.failed("anna", f"10.0.0.{number}", 0.0)

    assert attempts.wait_s("anna", "192.168.0.1", 0.0) > 0


def test_a_login_forgives_what_came_before_it() -> None:
    attempts = failed(FREE - 1)

    attempts.failed("anna", "10.0.0.1", 0.0)
    attempts.succeeded("anna", "10.0.0.1")
    attempts.failed("anna", "10.0.0.1", 0.0)

    assert attempts.wait_s("anna", "10.0.0.1", 0.0) == 0


def test_old_failures_are_forgotten() -> None:
    attempts = failed(FREE + 3, now=0.0)

    attempts.failed("anna", "10.0.0.1", 4000.0)

    assert attempts.wait_s("anna", "10.0.0.1", 4000.0) == 0

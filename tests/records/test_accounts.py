"""Users, sessions, tokens and the audit, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from services.records.accounts import FIRST_ADMIN, Accounts, Role
from services.records.audit import Actor, Audit, audited
from services.records.database import Database
from services.records.errors import AlreadyThereError, LastAdminError, RecordsError, UnknownSessionError, UnknownTokenError, UnknownUserError, WeakPasswordError
from services.records.logins import Logins
from services.records.models import AuditRow, SessionRow, TokenRow, UserRow

BOSS = Actor("boss", "admin", "10.0.0.9")
PASSWORD = "a-long-enough-one"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database)


@pytest.fixture
def logins(database: Database) -> Logins:
    return Logins(database, idle=timedelta(hours=1), longest=timedelta(hours=8))


@pytest.fixture
def anna(accounts: Accounts) -> str:
    accounts.add("anna", Role.SUPERVISOR, PASSWORD, by=BOSS)
    return "anna"


def log_in(logins: Logins, user: str = "anna") -> str:
    return logins.open(user, address="10.0.0.7", browser="Firefox")[0]


def actions(database: Database) -> list[tuple[str, str, str]]:
    return [(deed.user, deed.action, deed.subject) for deed in reversed(Audit(database).deeds())]


def test_a_password_is_right_or_wrong_and_kept_as_an_argon2_hash(database: Database, accounts: Accounts, anna: str) -> None:
    right, wrong, nobody = accounts.check(anna, PASSWORD), accounts.check(anna, PASSWORD + "!"), accounts.check("nobody", PASSWORD)

    assert right is not None
    assert (right.name, right.role, right.must_change, wrong, nobody) == (anna, Role.SUPERVISOR, False, None, None)
    with database.reading() as session:
        assert str(session.scalar(select(UserRow.password_hash))).startswith("$argon2id$")


@pytest.mark.parametrize("password", ["short", "x" * 201, "anna-is-here-1", "aaaaaaaaaaaaaaaa"])
def test_a_weak_password_is_refused(accounts: Accounts, password: str) -> None:
    with pytest.raises(WeakPasswordError, match="password: expected"):
        accounts.add("anna", Role.OPERATOR, password, by=BOSS)

    assert accounts.users() == ()


def test_the_first_admin_is_made_once_with_a_password_for_one_use(accounts: Accounts) -> None:
    password = accounts.first_admin()

    assert password is not None
    found = accounts.check(FIRST_ADMIN, password)
    assert found is not None
    assert (found.role, found.must_change) == (Role.ADMIN, True)
    assert accounts.first_admin() is None


def test_where_somebody_has_an_account_no_first_admin_is_made(accounts: Accounts, anna: str) -> None:
    assert accounts.first_admin() is None
    assert [user.name for user in accounts.users()] == [anna]


def test_the_last_admin_stays(accounts: Accounts) -> None:
    accounts.add("root-1", Role.ADMIN, PASSWORD, by=BOSS)

    with pytest.raises(LastAdminError):
        accounts.set_role("root-1", Role.OPERATOR, by=BOSS)
    with pytest.raises(LastAdminError):
        accounts.set_disabled("root-1", True, by=BOSS)

    assert (accounts.user("root-1").role, accounts.user("root-1").disabled) == (Role.ADMIN, False)


def test_names_are_ids_and_belong_to_one_user(accounts: Accounts, anna: str) -> None:
    with pytest.raises(AlreadyThereError, match="anna"):
        accounts.add(anna, Role.OPERATOR, PASSWORD, by=BOSS)
    with pytest.raises(ValueError, match="user: expected"):
        accounts.add("Anna Smith", Role.OPERATOR, PASSWORD, by=BOSS)
    with pytest.raises(UnknownUserError, match=r"expected one of \['anna'\]"):
        accounts.set_role("bert", Role.ADMIN, by=BOSS)


def test_a_role_covers_those_below_it() -> None:
    assert Role.ADMIN.covers(Role.OPERATOR)
    assert Role.SUPERVISOR.covers(Role.SUPERVISOR)
    assert not Role.OPERATOR.covers(Role.SUPERVISOR)


def test_a_cookie_says_who_holds_it_and_its_hash_alone_is_kept(database: Database, logins: Logins, anna: str) -> None:
    secret = log_in(logins)

    caller = logins.of_session(secret)

    assert caller is not None
    assert (caller.name, caller.role, caller.is_machine) == (anna, Role.SUPERVISOR, False)
    assert [(login.user, login.address, login.browser) for login in logins.sessions(anna)] == [(anna, "10.0.0.7", "Firefox")]
    assert logins.of_session(secret + "x") is None
    with database.reading() as session:
        assert secret not in str(session.execute(select(SessionRow.__table__)).all())


@pytest.mark.parametrize("change", ["role", "disable", "reset", "change"])
def test_what_changes_a_persons_rights_ends_their_sessions(accounts: Accounts, logins: Logins, anna: str, change: str) -> None:
    accounts.add("bert", Role.ADMIN, PASSWORD, by=BOSS)
    hers, his = log_in(logins), log_in(logins, "bert")

    {
        "role": lambda: accounts.set_role(anna, Role.ADMIN, by=BOSS),
        "disable": lambda: accounts.set_disabled(anna, True, by=BOSS),
        "reset": lambda: accounts.reset_password(anna, by=BOSS),
        "change": lambda: accounts.change_password(anna, "another-long-one", by=BOSS),
    }[change]()

    assert logins.of_session(hers) is None
    assert logins.of_session(his) is not None


def test_a_disabled_user_may_not_log_in(accounts: Accounts, logins: Logins, anna: str) -> None:
    accounts.add("bert", Role.ADMIN, PASSWORD, by=BOSS)
    accounts.set_disabled(anna, True, by=BOSS)

    assert accounts.check(anna, PASSWORD) is None
    with pytest.raises(UnknownUserError):
        log_in(logins)


@pytest.mark.parametrize(("seen", "expires", "holds"), [(59, 60, True), (61, 60, False), (0, 0, False)])
def test_a_session_ends_when_idle_too_long_and_when_too_old(database: Database, logins: Logins, anna: str, seen: int, expires: int, holds: bool) -> None:
    secret = log_in(logins)
    with database.writing() as session:
        row = session.scalars(select(SessionRow)).one()
        row.seen_at, row.expires_at = row.created_at - timedelta(minutes=seen), row.created_at + timedelta(minutes=expires)

    assert (logins.of_session(secret, used=False) is not None, len(logins.sessions()) == 1) == (holds, holds)


def test_being_used_begins_idle_time_anew_and_being_looked_at_does_not(database: Database, logins: Logins, anna: str) -> None:
    secret = log_in(logins)
    with database.writing() as session:
        session.execute(update(SessionRow).values(seen_at=SessionRow.created_at))
        row = session.scalars(select(SessionRow)).one()
        row.seen_at -= timedelta(minutes=30)
    before = logins.sessions()[0].seen_at

    logins.of_session(secret, used=False)
    looked_at = logins.sessions()[0].seen_at
    logins.of_session(secret)

    assert looked_at == before
    assert logins.sessions()[0].seen_at > before + timedelta(minutes=29)


def test_sessions_are_revoked_one_by_one_or_all(logins: Logins, anna: str) -> None:
    first, second, third = log_in(logins), log_in(logins), log_in(logins)
    caller = logins.of_session(first)
    assert caller is not None
    assert caller.session_id is not None

    logins.close(caller.session_id, by=BOSS)

    assert logins.of_session(first) is None
    assert logins.close_all(anna, by=BOSS) == 2
    assert (logins.of_session(second), logins.of_session(third)) == (None, None)
    with pytest.raises(UnknownSessionError):
        logins.close(caller.session_id, by=BOSS)


def test_a_token_is_shown_once_and_works_until_revoked(database: Database, logins: Logins) -> None:
    secret = logins.add_token("press-4", Role.OPERATOR, by=BOSS)

    caller = logins.of_token(secret)

    assert caller is not None
    assert (caller.name, caller.role, caller.is_machine) == ("press-4", Role.OPERATOR, True)
    assert caller.actor("10.0.0.5").name == "token:press-4"
    assert logins.tokens()[0].used_at is not None
    with database.reading() as session:
        assert secret not in str(session.execute(select(TokenRow.__table__)).all())
    with pytest.raises(AlreadyThereError):
        logins.add_token("press-4", Role.ADMIN, by=BOSS)

    logins.revoke_token("press-4", by=BOSS)

    assert logins.of_token(secret) is None
    with pytest.raises(UnknownTokenError):
        logins.revoke_token("press-4", by=BOSS)


def test_a_token_that_replaces_another_ends_it(logins: Logins) -> None:
    old = logins.add_token("loupe-up", Role.ADMIN, by=BOSS)

    new = logins.add_token("loupe-up", Role.ADMIN, by=BOSS, replace=True)

    assert logins.of_token(old) is None
    assert logins.of_token(new) is not None


def test_what_people_do_is_written_down(database: Database, accounts: Accounts, logins: Logins, anna: str) -> None:
    log_in(logins)
    accounts.reset_password(anna, by=BOSS)

    assert actions(database) == [("boss", "user.add", "anna"), ("anna", "login", "anna"), ("boss", "user.reset-password", "anna")]


def test_a_deed_that_fails_leaves_no_row(database: Database) -> None:
    def fail() -> None:
        with database.writing() as session:
            audited(session, BOSS, "verdict.give", "bolts/cam1/s1/1", {"defect": True})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert Audit(database).deeds() == ()


@pytest.mark.parametrize("statement", [update(AuditRow).values(user_name="nobody"), delete(AuditRow)], ids=["update", "delete"])
def test_the_database_itself_keeps_the_audit_from_being_changed(database: Database, statement: object) -> None:
    Audit(database).add(BOSS, "login")

    with pytest.raises(RecordsError, match="audit rows are never changed"), database.writing() as session:
        session.execute(statement)  # type: ignore[call-overload]

    assert actions(database) == [("boss", "login", "")]


def test_the_audit_is_filtered_and_paged(database: Database) -> None:
    audit = Audit(database)
    for number in range(5):
        audit.add(BOSS, "user.add", f"u{number}")
    audit.add(Actor("anna", "operator"), "login")

    newest = audit.deeds(limit=2)

    assert [deed.subject for deed in newest] == ["", "u4"]
    assert [deed.subject for deed in audit.deeds(before=newest[-1].id, limit=2)] == ["u3", "u2"]
    assert len(audit.deeds(user="boss", action="user.")) == 5
    assert audit.deeds(action="u%") == ()
    assert audit.deeds(until=newest[-1].at, since=newest[-1].at) == ()
    assert audit.known() == (("anna", "boss"), ("login", "user.add"))

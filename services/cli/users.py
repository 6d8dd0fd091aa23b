"""`loupe user` and `loupe token`: accounts of people and tokens of machines, straight in the records, so that the first one needs no login."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from services.cli.common import Json, fail, load_settings, print_json

if TYPE_CHECKING:
    from services.dashboard.people import People
    from services.records.audit import Actor

users = typer.Typer(help="People who may log in.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens with which machines call the REST API.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="a-z, 0-9 and '-', at most 40.")]
RoleName = Literal["operator", "supervisor", "admin"]
RoleOption = Annotated[RoleName, typer.Option("--role", help="operator: watch; supervisor: verdicts, thresholds, promote; admin: users, settings.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input; else one for the first login is made and shown.")]


@users.command("add")
def add_user(name: Name, role: RoleOption = "operator", password_stdin: FromStdin = False, as_json: Json = False) -> None:
    """Add a user."""
    from services.records.accounts import Role

    with people_here() as (people, us):
        _show_password(name, people.accounts.add(name, Role(role), _given(password_stdin), by=us), "added", as_json)


@users.command("list")
def list_users(as_json: Json = False) -> None:
    """Show all users and where they are logged in."""
    with people_here() as (people, _):
        logins = people.logins.sessions()
        rows = [
            {
                "name": user.name,
                "role": user.role.value,
                "state": "disabled" if user.disabled else "has yet to choose a password" if user.must_change else "active",
                "logins": sum(login.user == user.name for login in logins),
                "last_seen": max((f"{login.seen_at:%Y-%m-%d %H:%M} UTC" for login in logins if login.user == user.name), default=None),
            }
            for user in people.accounts.users()
        ]
    _show_table(rows, "nobody has an account yet: `loupe user add NAME --role admin` makes one", as_json)


@users.command()
def disable(name: Name) -> None:
    """Log a user out everywhere, and let them in no more."""
    with people_here() as (people, us):
        people.accounts.set_disabled(name, True, by=us)
    typer.echo(f"{name}: disabled, and logged out everywhere")


@users.command()
def enable(name: Name) -> None:
    """Let a disabled user in again."""
    with people_here() as (people, us):
        people.accounts.set_disabled(name, False, by=us)
    typer.echo(f"{name}: enabled")


@users.command("role")
def change_role(name: Name, role: Annotated[RoleName, typer.Argument()]) -> None:
    """Change what a user may do; they have to log in again."""
    from services.records.accounts import Role

    with people_here() as (people, us):
        people.accounts.set_role(name, Role(role), by=us)
    typer.echo(f"{name}: {role}")


@users.command()
def password(name: Name, password_stdin: FromStdin = False, as_json: Json = False) -> None:
    """Give a user another password, and log them out everywhere."""
    with people_here() as (people, us):
        _show_password(name, people.accounts.reset_password(name, _given(password_stdin), by=us), "has another password", as_json)


@tokens.command("add")
def add_token(name: Name, role: RoleOption = "operator", as_json: Json = False) -> None:
    """Make a token; it is shown only now. Sent as `Authorization: Bearer TOKEN`."""
    from services.records.accounts import Role

    with people_here() as (people, us):
        token = people.logins.add_token(name, Role(role), by=us)
    if as_json:
        print_json({"name": name, "role": role, "token": token})
    else:
        typer.echo(f"{name}: token, kept only as a hash and shown only now: {token}")


@tokens.command("list")
def list_tokens(as_json: Json = False) -> None:
    """Show all tokens, without what they are."""
    with people_here() as (people, _):
        rows = [
            {
                "name": token.name,
                "role": token.role.value,
                "made_by": token.created_by,
                "last_used": f"{token.used_at:%Y-%m-%d %H:%M} UTC" if token.used_at else None,
            }
            for token in people.logins.tokens()
        ]
    _show_table(rows, "no tokens yet: `loupe token add NAME` makes one", as_json)


@tokens.command()
def revoke(name: Name) -> None:
    """End a token at once."""
    with people_here() as (people, us):
        people.logins.revoke_token(name, by=us)
    typer.echo(f"{name}: revoked")


@contextmanager
def people_here() -> Iterator[tuple["People", "Actor"]]:
    """Accounts with their tables, and who we are in the audit; ends with one clear line where something cannot be done."""
    import getpass

    from services.contract.names import InvalidIdError
    from services.dashboard.people import People
    from services.records.audit import Actor
    from services.records.database import Database
    from services.records.errors import RecordsError
    from services.records.migrations import migrate

    settings = load_settings()
    database = Database(settings.records_url)
    try:
        migrate(settings.records_url)
        yield People.of(settings, database), Actor(f"loupe:{getpass.getuser()}", "local")
    except (RecordsError, InvalidIdError) as error:
        fail(error)
    finally:
        database.close()


def _given(from_stdin: bool) -> str | None:
    return sys.stdin.readline().rstrip("\r\n") if from_stdin else None


def _show_password(name: str, one_time: str | None, done: str, as_json: bool) -> None:
    if as_json:
        return print_json({"name": name, "password": one_time})
    typer.echo(f"{name}: {done}")
    if one_time:
        typer.echo(f"password for the first login, shown only now: {one_time}")


def _show_table(rows: Sequence[Mapping[str, object]], empty: str, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    if as_json:
        return print_json(rows)
    table = Table(box=None, pad_edge=False)
    for heading in rows[0] if rows else ():
        table.add_column(heading.replace("_", " "))
    for row in rows:
        table.add_row(*("-" if value is None else str(value) for value in row.values()))
    Console().print(table if rows else empty, markup=False)

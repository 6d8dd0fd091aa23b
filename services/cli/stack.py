"""`loupe up | down | status | doctor`: the embedded stack on this machine."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.common import REFUSED, authorization, dashboard_url, fail, load_settings, print_json

AsJson = Annotated[bool, typer.Option("--json", help="machine-readable, on standard output alone")]


def up(
    detach: Annotated[bool, typer.Option("--detach", help="start in the background and return when everything serves")] = False,
    log_file: Annotated[Path | None, typer.Option(hidden=True, help="say everything there: what --detach starts has no terminal")] = None,
) -> None:
    """Start Kafka, Redis, Ray, inspection, recorder, ingest and dashboard, and watch over them."""
    from infra.embedded.state import AlreadyRunningError, held

    home = _home()
    if detach:
        _start_detached(home)
        return
    if log_file is not None:
        _speak_into(log_file)
    try:
        with held(home):
            _run(home, watched=log_file is None)
    except AlreadyRunningError as error:
        fail(error)


def down() -> None:
    """End the stack that runs in this folder, and whatever a killed one left behind."""
    from infra.embedded.control import StackError, stop
    from infra.embedded.state import AlreadyRunningError, held
    from infra.embedded.supervisor import end_orphans

    home = _home()
    if not home.is_dir():
        typer.echo(f"nothing was running in {home}")
        return
    try:
        was_running = stop(home)
        with held(home):
            orphans = end_orphans(home)
    except (StackError, AlreadyRunningError) as error:
        fail(error)
    typer.echo("stopped" if was_running else f"nothing was running in {home}" + (f"; ended {len(orphans)} orphans" if orphans else ""))


def status(as_json: AsJson = False) -> None:
    """Processes, lines, ledger, lag, latency, replicas and model versions of the running stack."""
    from infra.embedded.state import StackState

    settings = load_settings()
    state = StackState.running(settings.home.absolute())
    found = _status(settings)
    if state is None and found is None:
        fail(f"nothing runs in {settings.home.absolute()} and {dashboard_url(settings)} does not answer; start it with `loupe up`")
    answer = {"processes": _processes(state), **(found or {"problems": ["the dashboard does not answer"]})}
    if as_json:
        print_json(answer)
    else:
        from services.cli.status_table import print_status

        print_status(answer)


def doctor(as_json: AsJson = False) -> None:
    """Say what this machine has and lacks to run Loupe, and how to mend it."""
    from infra.embedded.doctor import Finding, examine
    from services.contract.settings import SettingsError, load

    try:
        findings = [Finding("settings", True, "valid"), *examine(load())]
    except SettingsError as error:
        findings = [Finding("settings", False, str(error))]
    if as_json:
        print_json([{"what": one.what, "ok": one.ok, "says": one.says} for one in findings])
    else:
        for one in findings:
            typer.secho(f"{'ok ' if one.ok else 'NO '} {one.what:<12} {one.says}", fg="green" if one.ok else "red")
    if not all(one.ok for one in findings):
        raise typer.Exit(1)


def _home() -> Path:
    return load_settings().home.absolute()


def _start_detached(home: Path) -> None:
    from infra.embedded.accounts import first_password, told
    from infra.embedded.control import StackError, start_detached
    from services.records.errors import RecordsError

    try:
        password = first_password(load_settings())
        state = start_detached(home)
    except (StackError, RecordsError) as error:
        fail(error)
    typer.echo(f"Loupe is up: {state.addresses['dashboard']}")
    if password is not None:
        typer.echo(told(password))


def _speak_into(log_file: Path) -> None:
    from infra.embedded.logfile import LogStream, RotatingLog

    sys.stdout = sys.stderr = LogStream(RotatingLog(log_file))


def _run(home: Path, *, watched: bool) -> None:
    from rich.console import Console

    from infra.embedded.accounts import first_password, leave_token, left_in_file, told
    from infra.embedded.display import Display
    from infra.embedded.plan import PREPARING_FAILED, Planner
    from infra.embedded.supervisor import Supervisor, end_orphans, stop_on_signals
    from services.contract.logs import configure_logging
    from services.records.errors import RecordsError

    configure_logging("up")
    console = Console()
    orphans = end_orphans(home)  # before the settings are read again: it removes the addresses of a stack that is gone
    if orphans:
        console.print(f"ended {len(orphans)} processes that an earlier stack left behind")
    try:
        with console.status("preparing Kafka, Redis and Ray ..."):
            settings = load_settings()
            leave_token(settings)
            password = first_password(settings)
            plan = Planner(settings).plan()
    except (*PREPARING_FAILED, RecordsError, OSError) as error:
        fail(error)
    login = "" if password is None else told(password) if watched else left_in_file(home, password)
    with Display(console, login).open() as display:
        supervisor = Supervisor(home, plan, display.show)
        stop_on_signals(supervisor)
        supervisor.run()


def _status(settings: Any) -> dict[str, Any] | None:
    import httpx

    try:
        response = httpx.get(f"{dashboard_url(settings)}/api/v1/status", timeout=30, trust_env=False, headers=authorization(settings))
        if response.status_code == 401:
            return {"problems": [f"the dashboard: {REFUSED.format(settings.token_path)}"]}
        response.raise_for_status()
    except httpx.HTTPError:
        return None
    found: dict[str, Any] = response.json()
    return found


def _processes(state: Any) -> list[dict[str, Any]]:
    if state is None:
        return []
    return [
        {
            "name": part.name,
            "state": str(part.state),
            "pid": part.identity.pid if part.identity else None,
            "restarts": part.restarts,
            "detail": part.detail,
            "log": part.log,
            "address": state.addresses.get(part.name),
        }
        for part in state.parts.values()
    ]

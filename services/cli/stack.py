"""`loupe up | down | status | doctor`: the embedded stack on this machine."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.common import dashboard_url, fail, load_settings, print_json

AsJson = Annotated[bool, typer.Option("--json", help="machine-readable, on standard output alone")]


def up(
    detach: Annotated[bool, typer.Option("--detach", help="start in the background and return when everything serves")] = False,
) -> None:
    """Start Kafka, Redis, Ray, inspection, recorder, ingest and dashboard, and watch over them."""
    from infra.embedded.state import StackState

    home = _home()
    running = StackState.running(home)
    if running is not None:
        fail(f"a stack already runs in {home} (pid {running.supervisor.pid}): {running.addresses.get('dashboard', '')}; `loupe down` ends it")
    if detach:
        _start_detached(home)
    else:
        _run(home)


def down() -> None:
    """End the stack that runs in this folder, and whatever a killed one left behind."""
    from infra.embedded.control import StackError, stop
    from infra.embedded.supervisor import end_orphans

    home = _home()
    try:
        was_running = stop(home)
    except StackError as error:
        fail(error)
    orphans = end_orphans(home)
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
    """Say what this machine has and lacks to run Loupe."""
    from infra.embedded.doctor import examine

    findings = list(examine(load_settings()))
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
    from infra.embedded.control import StackError, start_detached

    try:
        state = start_detached(home)
    except StackError as error:
        fail(error)
    typer.echo(f"Loupe is up: {state.addresses['dashboard']}")


def _run(home: Path) -> None:
    import logging

    from rich.console import Console

    from infra.embedded.display import Display
    from infra.embedded.jars import JarError
    from infra.embedded.java import JavaNotFoundError
    from infra.embedded.kafka import KafkaFormatError
    from infra.embedded.plan import Planner
    from infra.embedded.redis import RedisNotFoundError
    from infra.embedded.supervisor import Supervisor, end_orphans
    from services.contract.logs import configure_logging

    configure_logging("up")
    console = Console(stderr=False)
    orphans = end_orphans(home)  # before the settings are read again: it removes addresses of a stack that is gone
    if orphans:
        console.print(f"ended {len(orphans)} processes that an earlier stack left behind")
    display = Display(console)
    try:
        with console.status("preparing Kafka, Redis and Ray ..."):
            plan = Planner(load_settings()).plan()
        with display.open():
            Supervisor(home, plan, display.show).run()
    except (JarError, JavaNotFoundError, KafkaFormatError, RedisNotFoundError, OSError) as error:
        logging.getLogger(__name__).debug("could not start", exc_info=True)
        fail(error)


def _status(settings: Any) -> dict[str, Any] | None:
    import httpx

    try:
        response = httpx.get(f"{dashboard_url(settings)}/api/v1/status", timeout=30, trust_env=False)
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

"""`loupe models promote | rollback`: which model judges a line, over the REST of a running stack."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.common import Json, fail, load_settings, print_json, rest

if TYPE_CHECKING:
    from services.contract.settings import Settings

Line = Annotated[str, typer.Argument(help="Id of the line.")]


def promote(
    line: Line,
    job: Annotated[str | None, typer.Option(help="The retraining whose candidate is meant; none: the line's latest that finished.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why, where the gate found too little evidence.")] = None,
    as_json: Json = False,
) -> None:
    """Let a retraining's candidate judge the line, from the next micro-batch on."""
    settings = load_settings()
    _say(line, _put_to_work(settings, f"/jobs/{job or candidate_job(settings, line)}/promote", reason), as_json)


def rollback(
    line: Line,
    reason: Annotated[str, typer.Option(help="Why; kept in the audit.")],
    to: Annotated[str | None, typer.Option(help="A version that judged the line earlier, or how its id begins (>= 6); none: the one before.")] = None,
    as_json: Json = False,
) -> None:
    """Let a model judge the line that did before."""
    _say(line, _put_to_work(load_settings(), f"/lines/{line}/rollback", reason, to=to), as_json)


def candidate_job(settings: "Settings", line: str) -> str:
    """The line's latest retraining that finished."""
    finished = [one["id"] for one in rest(settings, "GET", "/jobs", params={"line": line}) if (one["kind"], one["state"]) == ("retrain", "finished")]
    if not finished:
        fail(f"line {line}: expected a retraining that has finished, got none; `loupe retrain {line} --wait` starts one")
    return str(finished[0])


def _put_to_work(settings: "Settings", path: str, reason: str | None, **more: str | None) -> Any:
    """Every replica loads and tests the version first."""
    return rest(settings, "POST", path, within_s=settings.inspector.standby_s + 30, json={"reason": reason, **more})


def _say(line: str, judges: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return print_json(judges)
    thresholds = judges["calibration"]
    typer.echo(f"{line}: model {judges['model_version'][:12]}, review {thresholds['review']:.4f}, fail {thresholds['fail']:.4f} ({judges['reason']})")

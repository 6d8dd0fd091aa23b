"""`loupe line collect|train|start`: a line without a model gets its first one, over the REST of a running stack."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.common import Json, fail, load_settings, print_json, rest
from services.cli.jobs import OPEN, Wait, ended, fail_unless_finished

if TYPE_CHECKING:
    from services.contract.settings import Settings

AT_ONCE = 500
WORDS = {True: "kept", False: "thrown out", None: "-"}

LineId = Annotated[str, typer.Argument(help="A line that no model judges yet.")]


def collect(
    line: LineId,
    keep: Annotated[list[str] | None, typer.Option(help="Id of a frame that shows a good part; again for more.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Id of a frame to throw out; again for more.")] = None,
    keep_all: Annotated[bool, typer.Option("--keep-all", help="Keep all recorded frames that nobody threw out.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=AT_ONCE, help="So many of the latest frames are shown.")] = 20,
    as_json: Json = False,
) -> None:
    """Show what a line recorded, and say which of its frames show good parts: its first model learns from them."""
    settings = load_settings()
    wanted = [*(keep or ()), *(_unsaid(settings, line) if keep_all else ())]
    for some in _chunks(wanted):
        rest(settings, "PUT", f"/lines/{line}/recorded", json={"keep": some})
    for some in _chunks(drop or ()):
        rest(settings, "PUT", f"/lines/{line}/recorded", json={"drop": some})
    answer = rest(settings, "GET", f"/lines/{line}/recorded", params={"limit": limit})
    if as_json:
        return print_json(answer)
    if not (wanted or drop):
        for row in answer["rows"]:
            typer.echo(f"{row['frame_id']:40}  {row['inspected_at'][:19]}  {WORDS[row['kept']]}")
    typer.echo(f"{line}: {answer['kept']} kept, {answer['dropped']} thrown out; {answer['missing'] or f'enough for `loupe line train {line}`'}")


def train(
    line: LineId,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Train a line's first model from its good frames."""
    settings = load_settings()
    job = rest(settings, "POST", f"/lines/{line}/first-training")
    if wait:
        job = ended(settings, job)
    if as_json:
        print_json(job)
    else:
        typer.echo(_told(job))
    if wait:
        fail_unless_finished(job)


def start(
    line: LineId,
    reason: Annotated[str, typer.Option(help="Why, for the history.")],
    as_json: Json = False,
) -> None:
    """Put a line's first model to work: from then on its frames are judged."""
    settings = load_settings()
    jobs = rest(settings, "GET", "/jobs", params={"line": line})
    job = next((job for job in jobs if job["kind"] == "first" and job["state"] == "finished"), None)
    if job is None:
        fail(f"{line}: expected a first training that has finished; `loupe line train {line} --wait` makes one")
    answer = rest(settings, "POST", f"/jobs/{job['id']}/start", within_s=settings.inspector.standby_s + 30, json={"reason": reason})
    if as_json:
        return print_json(answer)
    calibration = answer["calibration"]
    typer.echo(f"{line}: judged by {answer['model_version'][:12]}, review from {calibration['review']:.4g}, NG from {calibration['fail']:.4g}")


def _unsaid(settings: "Settings", line: str) -> Iterator[str]:
    """Frames that nobody kept or threw out, all pages of them."""
    after: dict[str, str] = {}
    while True:
        page = rest(settings, "GET", f"/lines/{line}/recorded", params={"limit": AT_ONCE, **after})
        yield from (row["frame_id"] for row in page["rows"] if row["kept"] is None)
        if page["after"] is None:
            return
        after = {"after": page["after"]}


def _chunks(frames: Sequence[str]) -> Iterator[list[str]]:
    yield from (list(frames[first : first + AT_ONCE]) for first in range(0, len(frames), AT_ONCE))


def _told(job: dict[str, Any]) -> str:
    words = [f"{job['id']}: {job['state']}, {job['plan'].get('frames', 0)} good pictures"]
    if job["state"] in OPEN and job["progress"]:
        words.append(f"{job['progress']['stage']} {job['progress']['step']}/{job['progress']['steps']}")
    if job["result"]:
        words += [f"model {job['result']['candidate'][:12]}", *_promises(job["result"]["calibration"])]
        words.append(f"put it to work with `loupe line start {job['line']} --reason ...`")
    return "; ".join([*words, *([job["error"]] if job["error"] else [])])


def _promises(calibration: dict[str, Any]) -> list[str]:
    """What each threshold keeps of what was asked for."""
    names = {"review": "review", "fail": "NG"}
    said = [(names[name], calibration[name], calibration["promised"][name], calibration["rates"][name]) for name in names]
    return [f"{word} from {value:.4g}: at most {100 * promised:.3g} % of good parts ({100 * asked:g} % asked for)" for word, value, promised, asked in said]

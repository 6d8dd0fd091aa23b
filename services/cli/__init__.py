"""`loupe`: one verb a room. Verbs import what they need when they run, so that `loupe --help` is instant."""

import signal
import sys

import typer

from services.cli import bench, dataset, golden, history, lines, models, stack, train, users, verdicts, versions
from services.cli.backtest import backtest
from services.cli.demo import demo
from services.cli.evaluate import evaluate
from services.cli.promotion import promote, rollback
from services.cli.quality import quality
from services.cli.rebuild import rebuild
from services.cli.retrain import retrain
from services.cli.scale import scale
from services.cli.synthesize import synthesize

app = typer.Typer(
    name="loupe",
    help="Streaming visual inspection for factories.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.status)
app.command()(stack.doctor)
app.command()(demo)
app.command()(scale)
app.command()(rebuild)
app.command()(synthesize)
app.command()(models.calibrate)
app.command()(evaluate)
app.command()(retrain)
app.command()(quality)
app.add_typer(train.app, name="train")
versions.app.command()(promote)
versions.app.command()(rollback)
versions.app.command()(backtest)
app.add_typer(versions.app, name="models")
app.add_typer(lines.app, name="line")
app.add_typer(verdicts.app, name="verdicts")
app.add_typer(golden.app, name="golden")
app.add_typer(history.app, name="history")
app.add_typer(dataset.app, name="dataset")
app.add_typer(users.users, name="user")
app.add_typer(users.tokens, name="token")
app.add_typer(bench.app, name="bench")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))  # whoever is told to end unwinds, so that what it started is ended
    app()

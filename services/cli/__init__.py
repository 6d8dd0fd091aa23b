"""`loupe`: one verb a room. Verbs import what they need when they run, so that `loupe --help` is instant."""

import typer

from services.cli import bench, lines, models, stack, train, versions
from services.cli.demo import demo
from services.cli.evaluate import evaluate
from services.cli.rebuild import rebuild
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
app.add_typer(train.app, name="train")
app.add_typer(versions.app, name="models")
app.add_typer(lines.app, name="line")
app.add_typer(bench.app, name="bench")


def main() -> None:
    app()

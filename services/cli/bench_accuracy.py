"""`loupe bench accuracy`: where a detector stands beside nearest neighbours in ImageNet features, on the same pictures and measures."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.common import print_json
from services.cli.models import Seed, Threads, named_errors, resolve_model


def accuracy(
    data: Annotated[Path, typer.Option(help="MVTec layout: one product, or several side by side.")],
    model: Annotated[str, typer.Option(help="Version folder, id, or name of a shipped model.")] = "demo",
    groups: Annotated[Path | None, typer.Option(help="File of groups, one a line: only their test pictures.")] = None,
    except_groups: Annotated[Path | None, typer.Option(help="File of groups: all test pictures but theirs.")] = None,
    memory: Annotated[int, typer.Option(min=100, help="Patches that the neighbours remember.")] = 20_000,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable, on standard output alone")] = False,
) -> None:
    """Image AUROC and AP, pixel AP and AUPRO of both, and their difference, with 95 % intervals over groups. Needs the extra `benchmark`."""
    import torch

    from services.contract.logs import configure_logging

    configure_logging("bench")
    if threads is not None:
        torch.set_num_threads(threads)
    version = resolve_model(model)
    with named_errors():
        from services.cli.measuring.accuracy import compare

        report = compare(version, data, memory=memory, seed=seed, groups=groups, except_groups=except_groups)
    print_json(report) if as_json else _print_table(report)


def _print_table(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from training.evaluation import MEASURES

    table = Table("", *MEASURES, title=f"{report['data']}, {report['frames']} frames, with 95 % intervals over groups")
    for name, title in (("ours", report["ours"]["model"]), ("neighbours", "neighbours")):
        found = report[name]
        table.add_row(title, *(_figure(found[measure], found["intervals"][measure]) for measure in MEASURES))
    table.add_row("difference", *(_figure(one["value"], one["interval"]) for one in report["difference"].values()))
    Console().print(table)


def _figure(value: float | None, interval: list[float] | None) -> str:
    return "-" if value is None else f"{value:.3f}" + (f"\n{interval[0]:.3f} .. {interval[1]:.3f}" if interval else "")

"""`python -m tests.fuzz`: a million malformed inputs on all cores, and a table of what came of them."""

from __future__ import annotations

import multiprocessing
import os
import queue
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from tests.fuzz.run import Finding, Report, work
from tests.fuzz.samples import CORPUS
from tests.fuzz.targets import NAMES

_COLUMNS = ("inputs", "events", "accepted", "rejected", "findings")


@click.command()
@click.option("--inputs", default=1_000_000, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--seconds", default=float("inf"), help="Stop after so long. [default: when all inputs are done]")
@click.option("--seed", default=0, show_default=True, help="The same seed makes the same inputs.")
@click.option(
    "--target",
    "names",
    type=click.Choice(NAMES),
    multiple=True,
    default=NAMES,
    metavar="NAME",
    help="Only this one; may be given more than once. [default: all]",
)
def main(inputs: int, seconds: float, seed: int, names: tuple[str, ...]) -> None:
    """Feed malformed inputs to everything that reads what strangers write.

    What an input finds is written to tests/fuzz/corpus, whose files every test run tries again.
    """
    began, came, findings = time.monotonic(), Counter[tuple[str, str]](), dict[tuple[str, str], Finding]()
    with _workers(inputs, seed, names, began + seconds) as reports:
        try:
            _gather(reports, inputs, came, findings)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
    _show(came, list(findings.values()), time.monotonic() - began)
    sys.exit(1 if findings else 0)


@contextmanager
def _workers(inputs: int, seed: int, names: tuple[str, ...], end: float) -> Iterator[Iterator[Report]]:
    """What a process on each core reports, until all are through; they end with this."""
    context = multiprocessing.get_context("spawn")
    made, stopping, cores = context.Queue(), context.Event(), os.cpu_count() or 1
    shares = (range(core, inputs, cores) for core in range(cores))
    processes = [
        context.Process(target=work, args=(seed, share, names, end, stopping, made.put), daemon=True)
        for share in shares
    ]
    for process in processes:
        process.start()
    try:
        yield _reports(made, processes)
    finally:
        stopping.set()
        for _ in _reports(made, processes):
            pass


def _reports(made: Any, processes: list[Any]) -> Iterator[Report]:
    """The reports of processes, until each said that it is through; raises ClickException for one that died."""
    while any(process.is_alive() for process in processes) or not made.empty():
        try:
            report = made.get(timeout=0.5)
        except queue.Empty:
            continue
        if report is not None:
            yield report
    if died := [process.exitcode for process in processes if process.exitcode]:
        raise click.ClickException(f"{len(died)} processes died: what they wrote above says where")


def _gather(
    reports: Iterator[Report], inputs: int, came: Counter[tuple[str, str]], findings: dict[tuple[str, str], Finding]
) -> None:
    with click.progressbar(length=inputs, label="fuzzing", file=sys.stderr) as progress:
        for report in reports:
            came.update(report.came)
            for finding in report.findings:
                findings.setdefault((finding.target, finding.bug), finding)
            progress.update(sum(times for (_, what), times in report.came.items() if what == "inputs"))


def _show(came: Counter[tuple[str, str]], findings: list[Finding], took: float) -> None:
    """The table, and each finding with where it was kept."""
    targets = sorted({target for target, _ in came})
    rows = {target: [came[target, column] for column in _COLUMNS] for target in targets}
    totals = [sum(column) for column in zip(*rows.values(), strict=True)]
    for name, cells in {"target": _COLUMNS, **rows, "all": totals}.items():
        click.echo(f"{name:24}" + "".join(f"{cell:>12}" for cell in cells))
    click.echo(f"in {took:.0f} s")
    for finding in findings:
        kept = os.path.relpath(finding.write(CORPUS))
        click.secho(f"\n{finding.target}: {finding.bug}, kept in {kept}", bold=True)
        click.echo(finding.story)


if __name__ == "__main__":
    main()

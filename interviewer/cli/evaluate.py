"""Measure a judge against labelled answers."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from interviewer.cli.shared import put, say
from interviewer.desk import engine_for
from interviewer.errors import ConfigError
from interviewer.evaluation.judged import JudgedAnswer, judge_all
from interviewer.evaluation.report import Evaluation
from interviewer.labels import LabelledAnswer, Split, read_labelled, split_of
from interviewer.library import library_of
from interviewer.settings import Settings


async def evaluate_file(
    file: Path, *, split: Split | None, page: Path | None, as_json: bool, settings: Settings
) -> int:
    """Judge every answer of a file or folder and print the figures of agreement.

    Raises:
        ConfigError: the file can't be read, or nothing in it is of the split.
    """
    answers = [a for a in read_labelled(file) if split is None or (a.card and split_of(a.card) == split)]
    if not answers:
        raise ConfigError(f"{file} holds no answer" + (f" to a card of the split {split}" if split else ""))
    found = await judged(answers, settings)
    if page:
        write_page(found, page)
    if as_json:
        put(found.as_json())
    else:
        show(found)
    return 0


def write_page(found: Evaluation, page: Path) -> None:
    """Write the HTML report."""
    try:
        page.write_text(found.as_html(), "utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {page}: {error.strerror}") from error
    say(f"the report is in {page}")


async def judged(answers: list[LabelledAnswer], settings: Settings) -> Evaluation:
    """Judge answers with the judge of the settings, showing progress."""
    library = library_of(settings)
    done: list[JudgedAnswer] = []
    async with AsyncExitStack() as stack:
        judge = await stack.enter_async_context(engine_for(settings, library))
        bar = stack.enter_context(Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()))
        task = bar.add_task("judging", total=len(answers))
        try:
            async for answer in judge_all(answers, judge=judge, library=library):
                done.append(answer)
                bar.advance(task)
        except asyncio.CancelledError:
            say(f"interrupted; {len(done)} of {len(answers)} answers were judged, nothing is reported")
            raise
    order = {answer.id: place for place, answer in enumerate(answers)}
    return Evaluation(judge=judge.name, answers=tuple(sorted(done, key=lambda a: order[a.labelled.id])))


def show(found: Evaluation) -> None:
    """Print the figures as tables."""
    figures = found.as_json()
    console = Console()
    console.print(f"{found.judge}: {figures['answers']} answers, {figures['all']['points']} labelled points")
    if figures["not_graded"]:
        console.print(f"{len(figures['not_graded'])} not graded, first: {json.dumps(figures['not_graded'][0])}")
    table = Table("", "points", "accuracy", "kappa [95 %]", "AUC", "AUC inside", "sure", "bias")
    rows = {"all": figures["all"], **figures["language"], **figures["other_language"], **figures["kind"]}
    for name, part in rows.items():
        if part["points"]:
            table.add_row(
                name,
                str(part["points"]),
                f"{part['accuracy']:.2f}",
                "{:.2f} [{:.2f}, {:.2f}]".format(*part["kappa"]),
                _number(part["auc"]),
                _number(part["auc_inside_an_answer"]),
                f"{part['coverage']:.0%}",
                f"{part['bias']:+.2f}",
            )
    console.print(table)
    for title, name in (("scores", "scores"), ("pairs", "pairs"), ("second reader", "second_reader")):
        shown = ", ".join(f"{key.replace('_', ' ')} {_number(value)}" for key, value in figures[name].items())
        console.print(f"[bold]{title}[/]: {shown}", highlight=False)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)

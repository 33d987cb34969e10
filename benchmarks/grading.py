"""How well does the offline judge agree with labels? Prints JSON.

`trials` were written beside the cards, whose wordings were mended after looking at them: a fit, not a test.
`blind` were written and labelled from questions and points alone, without sight of the judge.
`blind_without_wordings` judges the same answers by the points' text alone, as `interviewer grade` must.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from interviewer.evaluation import Agreement
from interviewer.grading.grade import Verdict, task_of
from interviewer.grading.offline import OfflineJudge
from interviewer.grading.pipeline import grade
from interviewer.library import Library, open_library
from interviewer.retrieval.embedder import embedder
from interviewer.settings import MINILM, data_folder

DATA = Path(__file__).parents[1] / "tests" / "data"
Row = tuple[Verdict, Verdict]


def answers(folder: str) -> Iterator[dict[str, Any]]:
    """Return the labelled answers of a folder."""
    for path in sorted((DATA / folder).glob("*.jsonl")):
        yield from (json.loads(line) for line in path.read_text("utf-8").splitlines())


async def judged(library: Library, judge: OfflineJudge, row: dict[str, Any], *, wordings: bool) -> list[Row]:
    """Return label and verdict of each point of one answer."""
    task = task_of(library.cards[row["card"]], row["answer"], lang=row["lang"])
    if not wordings:
        task = replace(task, claims=tuple(replace(c, keys=()) for c in task.claims), wrong_claims=())
    result = await grade(task, judge=judge, glossary=library.glossary)
    return [(row["verdicts"][point.id], point.verdict) for point in result.points]


def figures(rows: list[Row]) -> dict[str, Any]:
    """Return what is published of a set."""
    found = Agreement.of(rows)
    return {
        "points": found.points,
        "accuracy": round(found.accuracy, 3),
        "kappa": round(found.kappa, 3),
        **{
            f"{verdict}_{name}": None if value is None else round(value, 3)
            for verdict in ("covered", "contradicted")
            for name, value in (("precision", found.precision(verdict)), ("recall", found.recall(verdict)))
        },
    }


async def measure() -> dict[str, Any]:
    """Judge every set."""
    library = open_library(data_folder("knowledge"))
    judge = OfflineJudge(embedder(MINILM), library.glossary)
    report = {}
    for name, folder, wordings in (
        ("trials", "trials", True), ("blind", "blind", True), ("blind_without_wordings", "blind", False),
    ):  # fmt: skip
        parts: dict[str, list[Row]] = defaultdict(list)
        for row in answers(folder):
            rows = await judged(library, judge, row, wordings=wordings)
            for part in ("all", row["lang"], row["kind"]):
                parts[part] += rows
        report[name] = {part: figures(rows) for part, rows in parts.items()}
    return report


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure()), indent=2))

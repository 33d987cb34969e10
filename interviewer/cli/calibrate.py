"""Measure the configured judge on the labelled answers that ship, and keep what was found."""

import asyncio
import hashlib
import json
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from interviewer.calibration import Agreement, Calibration, find, folder, keep, key_of, trust
from interviewer.cli.shared import put, say
from interviewer.desk import engine_for
from interviewer.engines.offline import OfflineEngine
from interviewer.errors import ConfigError, unwritable
from interviewer.evaluation.judged import JudgedAnswer, judge_all, set_beside, task_for
from interviewer.evaluation.metrics import by_point
from interviewer.grading.grade import Grade, JudgingTask
from interviewer.labels import LabelledAnswer, read_labelled, split_of
from interviewer.language import LANGS
from interviewer.library import Library, open_library
from interviewer.settings import Settings, data_folder


async def calibrate(settings: Settings, *, answers: int, as_json: bool) -> int:
    """Judge labelled answers of the dev split; what was judged before is not judged again.

    Raises:
        ConfigError: there are no labelled answers.
    """
    chosen = sample(answers)
    # The answers are to the shipped cards, whatever the reader's own are.
    library = open_library(data_folder("knowledge"), cache=settings.parsed_cards)
    started = time.perf_counter()
    async with AsyncExitStack() as stack:
        judge = await stack.enter_async_context(engine_for(settings, library))
        if judge.name == OfflineEngine.name:
            # Its weights were fitted on the very answers that a model is measured on.
            say("the offline judge was measured on the test split when it was made; a model is needed to calibrate")
            _tell(settings, judge.name, as_json=as_json)
            return 0
        done = Done(settings, judge.name, library)
        before = {labelled.id: found for labelled in chosen if (found := done.get(labelled))}
        if before:
            say(f"{len(before)} of {len(chosen)} answers were judged before and count as they are")
        bar = stack.enter_context(Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()))
        task = bar.add_task("judging", total=len(chosen), completed=len(before))
        left = [labelled for labelled in chosen if labelled.id not in before]
        judged = list(before.values())
        try:
            async for found in judge_all(left, judge=judge, library=library):
                done.put(found)
                judged.append(found)
                bar.advance(task)
        except asyncio.CancelledError:
            say(f"interrupted; {len(judged)} of {len(chosen)} answers are judged and kept, the same command goes on")
            raise
    calibration = measured(judge.name, key_of(settings, judge.name), judged, seconds=time.perf_counter() - started)
    keep(settings, calibration)
    _tell(settings, judge.name, as_json=as_json)
    if not as_json:
        print(f"{len(judged)} answers, {calibration.tokens:,} tokens")
        if fell_back := sum(a.grade.engine != judge.name for a in judged):
            print(f"{fell_back} of them were judged offline, because the model could not; they are left out")
    return 0


def _tell(settings: Settings, judge: str, *, as_json: bool) -> None:
    if as_json:
        found = find(settings, judge)
        put(found.as_json() if found else None)
    else:
        print(f"{judge}: {trust(settings, judge, lang=settings.lang)}")


def sample(answers: int) -> list[LabelledAnswer]:
    """Return so many labelled answers of the dev split, as many in Chinese as in English, always the same ones.

    Raises:
        ConfigError: there are none.
    """
    dev = [a for a in read_labelled(data_folder("knowledge") / "answers") if a.card and split_of(a.card) == "dev"]
    if not dev:
        raise ConfigError("there are no labelled answers of the dev split in knowledge/answers")
    order = sorted(dev, key=lambda a: hashlib.sha256(a.id.encode()).hexdigest())
    halves = [[a for a in order if a.lang == lang][: -(-answers // 2)] for lang in LANGS]
    return [a for half in halves for a in half][:answers]


def measured(judge: str, key: str, judged: list[JudgedAnswer], *, seconds: float) -> Calibration:
    """Put together what was found; answers that another judge had to take over are left out."""
    own = [a for a in judged if a.grade.engine == judge]
    by_language = {}
    for lang in LANGS:
        points = [point for a in own if a.labelled.lang == lang for point in a.points]
        if points:
            figures = by_point(points)
            by_language[lang] = Agreement(points=len(points), kappa=figures["kappa"][0], bias=figures["bias"])
    if not by_language:
        raise ConfigError(f"{judge} judged none of the answers: {judged[0].grade.note or judged[0].grade.reason}")
    return Calibration(
        judge=judge,
        key=key,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        answers=len(own),
        by_language=by_language,
        tokens=sum(usage["prompt"] + usage["completion"] for a in own for usage in a.grade.usage),
        seconds=round(seconds, 1),
    )


class Done:
    """Grades of labelled answers by one judge asked in one way, kept as they come in."""

    def __init__(self, settings: Settings, judge: str, library: Library) -> None:
        self._path: Path = folder(settings) / f"{key_of(settings, judge)}.jsonl"
        self._settings = settings
        self._judge = judge
        self._library = library
        try:
            lines = self._path.read_bytes().split(b"\n") if self._path.is_file() else []
            if lines and lines[-1]:  # cut off by a crash: what comes next gets a line of its own
                with self._path.open("ab") as file:
                    file.write(b"\n")
        except OSError as error:
            raise unwritable(settings.home, error) from error
        self._rows = {row["id"]: row for row in map(_row, lines) if row}

    def get(self, labelled: LabelledAnswer) -> JudgedAnswer | None:
        """Return what was found of an answer before, if the answer and its card are still the same."""
        task = task_for(labelled, self._library)
        row = self._rows.get(labelled.id)
        if row is None or row.get("of") != _digest(task):
            return None
        return set_beside(labelled, task, Grade.from_json(row["grade"]), self._library)

    def put(self, found: JudgedAnswer) -> None:
        """Keep what was found of an answer; where another judge had to take over, it is judged again next time."""
        if found.grade.engine != self._judge or not found.grade.points:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                of = _digest(task_for(found.labelled, self._library))
                row = {"id": found.labelled.id, "of": of, "grade": found.grade.as_json()}
                print(json.dumps(row, ensure_ascii=False), file=file)
        except OSError as error:
            raise unwritable(self._settings.home, error) from error


def _digest(task: JudgingTask) -> str:
    return hashlib.sha256(repr(task).encode()).hexdigest()[:16]


def _row(line: bytes) -> dict[str, Any] | None:
    """Read a line; one that was cut off by a crash is as if it were not there."""
    try:
        return json.loads(line)  # type: ignore[no-any-return]
    except ValueError:
        return None

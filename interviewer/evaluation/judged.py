"""Judges labelled answers and sets label and verdict side by side."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from interviewer.errors import ConfigError
from interviewer.grading.grade import CREDIT, Claim, Grade, Judge, JudgingTask, PointGrade, Verdict, task_of
from interviewer.grading.pipeline import grade
from interviewer.labels import LABELS, Label, LabelledAnswer
from interviewer.language import Lang, language_of
from interviewer.library import Library

REFERENCE = "reference"
"""How the claims of an answer are named that is compared with references."""
AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPoint:
    """One point of one answer: what the label says and what the judge."""

    answer: str
    """Id of the answer."""
    group: str
    """The question: what intervals are drawn over."""
    point: str
    topic: str
    lang: Lang
    across: bool
    """Whether the answer is in another language than the point."""
    kind: str
    label: Label
    verdict: Verdict
    decided: Label
    """The likeliest verdict, also where the judge was uncertain."""
    chance: float
    """The judge's probability that it is covered, 0 to 1; of a judge without probabilities, its credit."""
    confidence: float
    """Of the likeliest verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAnswer:
    """One labelled answer and its grade."""

    labelled: LabelledAnswer
    grade: Grade
    points: tuple[JudgedPoint, ...]
    human: float | None
    """The human's score, or the one that follows from the labels, 0 to 1."""
    score: float | None
    """The judge's expected credit over all points, 0 to 1: uncertain points count by their probabilities."""


def task_for(answer: LabelledAnswer, library: Library) -> JudgingTask:
    """Put a labelled answer into the judge's words.

    Raises:
        ConfigError: its card is unknown, or a label is of no point.
    """
    if answer.card:
        card = library.cards.get(answer.card)
        if card is None:
            raise ConfigError(f"answer {answer.id}: there is no card {answer.card!r}; see `interviewer cards list`")
        task = task_of(card, answer.answer, lang=answer.lang)
    else:
        claims = tuple(Claim(id=p.id, text=p.text, weight=p.weight, keys=()) for p in answer.points) or tuple(
            Claim(id=f"{REFERENCE}-{number}", text=text, weight=1.0, keys=())
            for number, text in enumerate(answer.references, start=1)
        )
        task = JudgingTask(question=answer.question, answer=answer.answer, lang=answer.lang, claims=claims)
    if unknown := set(answer.verdicts) - {claim.id for claim in task.claims}:
        raise ConfigError(f"answer {answer.id}: {', '.join(sorted(unknown))} is labelled but no point of it")
    return task


async def judge_all(
    answers: Sequence[LabelledAnswer], *, judge: Judge, library: Library
) -> AsyncIterator[JudgedAnswer]:
    """Judge answers, some side by side, and return each as it is done.

    Raises:
        ConfigError: as `task_for`; before anything is judged.
    """
    tasks = [task_for(answer, library) for answer in answers]
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(answer: LabelledAnswer, task: JudgingTask) -> JudgedAnswer:
        async with gate:
            return set_beside(answer, task, await grade(task, judge=judge, glossary=library.glossary), library)

    running = [asyncio.create_task(one(answer, task)) for answer, task in zip(answers, tasks, strict=True)]
    try:
        for done in asyncio.as_completed(running):
            yield await done
    finally:
        for task in running:
            task.cancel()


def set_beside(answer: LabelledAnswer, task: JudgingTask, found: Grade, library: Library) -> JudgedAnswer:
    """Set a grade beside the labels."""
    card = library.cards.get(answer.card or "")
    said_in = language_of(answer.answer) or answer.lang
    weights = {claim.id: claim.weight for claim in task.claims}
    points = tuple(
        JudgedPoint(
            answer=answer.id,
            group=answer.group,
            point=point.id,
            topic=card.topic if card else "",
            lang=said_in,
            across=said_in != answer.lang,
            kind=answer.kind,
            label=answer.verdicts[point.id],
            verdict=point.verdict,
            decided=_likeliest(point),
            chance=_chance(point),
            confidence=point.confidence,
        )
        for point in found.points
        if point.id in answer.verdicts
    )
    total = sum(weights.values())
    human = None if answer.score is None else answer.score / answer.max_score
    if human is None and set(answer.verdicts) == set(weights):
        human = sum(CREDIT[verdict] * weights[name] for name, verdict in answer.verdicts.items()) / total
    score = sum(_credit(p) * weights[p.id] for p in found.points) / total if found.points else None
    if found.points and not (answer.card or answer.points):
        score = max(map(_credit, found.points))
    return JudgedAnswer(labelled=answer, grade=found, points=points, human=human, score=score)


def _likeliest(point: PointGrade) -> Label:
    if point.probabilities:
        return max(LABELS, key=lambda verdict: point.probabilities.get(verdict, 0.0))
    return "missed" if point.verdict == "uncertain" else point.verdict


def _chance(point: PointGrade) -> float:
    return point.probabilities.get("covered", 0.0) if point.probabilities else CREDIT.get(point.verdict, 0.5)


def _credit(point: PointGrade) -> float:
    if point.probabilities:
        return sum(CREDIT[verdict] * share for verdict, share in point.probabilities.items())
    return CREDIT.get(point.verdict, 0.5)

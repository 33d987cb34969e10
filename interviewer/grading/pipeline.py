"""From an answer to a grade: gates, judge, evidence check, score."""

import asyncio

from interviewer.cards import Bilingual
from interviewer.errors import InterviewerError
from interviewer.grading.evidence import checked
from interviewer.grading.gates import REASONS, UNGRADED, gate
from interviewer.grading.grade import Grade, Judge, JudgingTask, PointGrade, score_of
from interviewer.grading.numbers import MANY_NUMBERS, check_numbers
from interviewer.language import Glossary
from interviewer.transcript import Transcript

CODE = "code"
"""Who judges the numbers of a computed card."""
JUDGE_SECONDS = 300
"""A last resort: engines end their own calls sooner."""
FAILED = Bilingual(en="the judge failed", zh="评分出错")
SLOW = Bilingual(en="it took too long", zh="用时太长")
UNDECIDED = Bilingual(en="too many points are uncertain to give a score", zh="拿不准的得分点太多，给不出分数")


async def grade(task: JudgingTask, *, judge: Judge, glossary: Glossary, transcript: Transcript | None = None) -> Grade:
    """Return the grade of one answer; never raises for what the answer says."""
    gated = gate(task, glossary)
    if gated in UNGRADED:
        return Grade(engine=judge.name, reason=REASONS[gated].get(task.lang))
    if gated:
        missed = tuple(PointGrade(id=claim.id, verdict="missed", confidence=1.0) for claim in task.claims)
        return Grade(engine=judge.name, points=missed, score=0.0, reason=REASONS[gated].get(task.lang))
    if all(claim.value for claim in task.claims):
        numbers = check_numbers(task)
        score = score_of(numbers, {claim.id: claim.weight for claim in task.claims})
        return Grade(
            engine=CODE, points=numbers, score=score, reason="" if score is not None else MANY_NUMBERS.get(task.lang)
        )
    try:
        async with asyncio.timeout(JUDGE_SECONDS):
            judged = await judge.judge(task, transcript=transcript)
    except (InterviewerError, TimeoutError) as error:
        return Grade(engine=judge.name, reason=f"{FAILED.get(task.lang)}: {error or SLOW.get(task.lang)}")
    points = checked(judged.points, task.answer, lang=task.lang)
    score = score_of(points, {claim.id: claim.weight for claim in task.claims})
    reason = "" if score is not None else UNDECIDED.get(task.lang)
    return Grade(engine=judged.engine, points=points, score=score, reason=reason, note=judged.note, usage=judged.usage)

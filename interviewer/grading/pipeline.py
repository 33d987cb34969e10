"""Grade one answer: gates, judge, evidence check, score."""

import asyncio

from interviewer.errors import InterviewerError
from interviewer.grading.evidence import checked
from interviewer.grading.gates import UNGRADED, gate
from interviewer.grading.grade import Grade, Judge, JudgingTask, PointGrade, score_of
from interviewer.language import Glossary

JUDGE_SECONDS = 60


async def grade(task: JudgingTask, *, judge: Judge, glossary: Glossary) -> Grade:
    """Return the grade of one answer; never raises for what the answer says."""
    gated = gate(task, glossary)
    if gated and gated.gate in UNGRADED:
        return Grade(engine=judge.name, reason=gated.reason)
    if gated:
        missed = tuple(PointGrade(id=claim.id, verdict="missed", confidence=1.0) for claim in task.claims)
        return Grade(engine=judge.name, points=missed, score=0.0, reason=gated.reason)
    try:
        async with asyncio.timeout(JUDGE_SECONDS):
            verdicts = await judge.judge(task)
    except (InterviewerError, TimeoutError) as error:
        return Grade(engine=judge.name, reason=f"the judge failed: {error or 'it took too long'}")
    points = checked(verdicts, task.answer)
    score = score_of(points, {claim.id: claim.weight for claim in task.claims})
    reason = "" if score is not None else "too many points are uncertain to give a score"
    return Grade(engine=judge.name, points=points, score=score, reason=reason)

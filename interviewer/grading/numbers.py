"""Checks the numbers of an answer against those of a computed card."""

from interviewer.cards import Bilingual
from interviewer.computed.quantities import MANY, near, quantities, shown, size_of
from interviewer.grading.grade import Claim, JudgingTask, PointGrade
from interviewer.language import Lang

SCALES = tuple(scale for up in (1e3, 2.0**10, 1e6, 1e9, 2.0**20 / 1e6, 2.0**30 / 1e9) for scale in (up, 1 / up))
"""What a result is off by when its digits are right and its unit is wrong: K for M, GB for GiB."""
RIGHT = Bilingual(en="{said} is right", zh="{said} 是对的")
FOLLOWS = Bilingual(en="it follows from the result, which is right", zh="结果对了，这一步也就对了")
UNIT = Bilingual(
    en="the digits of {said} are right, the unit is not: it is {value}", zh="{said} 数字对，单位不对：应为 {value}"
)
MANY_NUMBERS = Bilingual(en="too many numbers to tell which one is the answer", zh="数字太多，看不出哪个是答案")


def check_numbers(task: JudgingTask) -> tuple[PointGrade, ...]:
    """Return a verdict for each point of a computed card; who has the last result right has the steps to it right."""
    grades = [_grade(claim, task.answer, task.lang) for claim in task.claims]
    result = grades[-1]
    if result.verdict == "covered":
        why = FOLLOWS.get(task.lang)
        return tuple(
            grade
            if grade.verdict == "covered"
            else PointGrade(id=grade.id, verdict="covered", confidence=1.0, evidence=result.evidence, why=why)
            for grade in grades
        )
    return tuple(grades)


def _grade(claim: Claim, answer: str, lang: Lang) -> PointGrade:
    assert claim.value is not None
    assert claim.value.expected is not None
    expected, unit, tolerance = claim.value.expected, claim.value.unit, claim.value.tolerance
    dimension, size = size_of(unit)
    found = quantities(answer, dimension, default=size)
    if len(found) > MANY:
        return PointGrade(id=claim.id, verdict="uncertain", confidence=0.0, why=MANY_NUMBERS.get(lang))
    if right := near(found, expected, tolerance):
        why = RIGHT.get(lang).format(said=right.span.text.strip())
        return PointGrade(id=claim.id, verdict="covered", confidence=1.0, evidence=(right.span,), why=why)
    for scale in SCALES:
        if slip := near([quantity for quantity in found if quantity.has_unit], expected * scale, 0.005):
            why = UNIT.get(lang).format(said=slip.span.text.strip(), value=shown(expected, unit))
            return PointGrade(id=claim.id, verdict="partial", confidence=1.0, evidence=(slip.span,), why=why)
    return PointGrade(id=claim.id, verdict="missed", confidence=1.0)

"""The words of grading: a task, verdicts with evidence, and the score computed from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from interviewer.cards import Card, Keys, Value
from interviewer.labels import Label
from interviewer.language import Lang, Span
from interviewer.transcript import Transcript

Verdict = Literal["covered", "partial", "missed", "contradicted", "uncertain"]
CREDIT: dict[Verdict, float] = {"covered": 1.0, "partial": 0.5, "missed": 0.0, "contradicted": 0.0}
NEEDS_EVIDENCE: frozenset[Verdict] = frozenset({"covered", "partial", "contradicted"})
LEAST_DECIDED = 0.5
"""Share of the weight that must be decided for a score to mean anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A point as the judge sees it: in the wording of one language."""

    id: str
    text: str
    weight: float
    keys: Keys
    translated: str = ""
    """The same in the other language, where the card has it."""
    value: Value | None = None
    """Of a computed card: the number that makes the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongClaim:
    """A misconception as the judge sees it."""

    text: str
    why: str
    contradicts: tuple[str, ...]
    keys: Keys
    translated: str = ""
    """As of a claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingTask:
    """One answer and everything it is judged against."""

    question: str
    answer: str
    lang: Lang
    claims: tuple[Claim, ...]
    wrong_claims: tuple[WrongClaim, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PointGrade:
    """The verdict on one point; evidence is verbatim: answer[start:end] == text."""

    id: str
    verdict: Verdict
    confidence: float
    """How sure the judge is of the verdict, 0 to 1."""
    evidence: tuple[Span, ...] = ()
    why: str = ""
    probabilities: Mapping[Label, float] = field(default_factory=dict)
    """Of the four verdicts that say something, summing to 1; empty of a judge that gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The verdicts on one answer and the score computed from them; or not graded, with the reason."""

    engine: str
    """Who judged."""
    points: tuple[PointGrade, ...] = ()
    score: float | None = None
    """0 to 1; None when not graded."""
    reason: str = ""
    """Why there is no score, or why it was not judged point by point."""
    note: str = ""
    """What the candidate should know of how it was judged."""
    usage: tuple[dict[str, Any], ...] = ()
    """What each call of a model cost."""

    @property
    def graded(self) -> bool:
        """Whether there is a score."""
        return self.score is not None

    def as_json(self) -> dict[str, Any]:
        """Return the grade as JSON data, in the shape of `interviewer grade`."""
        return {
            "score": self.score,
            "graded": self.graded,
            **({"reason": self.reason} if self.reason else {}),
            **({"note": self.note} if self.note else {}),
            "engine": self.engine,
            **({"usage": list(self.usage)} if self.usage else {}),
            "points": [
                {
                    "id": p.id,
                    "verdict": p.verdict,
                    "confidence": round(p.confidence, 3),
                    "evidence": [{"quote": e.text, "start": e.start, "end": e.end} for e in p.evidence],
                    **({"why": p.why} if p.why else {}),
                    **(
                        {"probabilities": {v: round(x, 3) for v, x in p.probabilities.items()}}
                        if p.probabilities
                        else {}
                    ),
                }
                for p in self.points
            ],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Grade":
        """Read what `as_json` wrote."""
        points = tuple(
            PointGrade(
                id=p["id"],
                verdict=p["verdict"],
                confidence=p["confidence"],
                evidence=tuple(Span(e["quote"], e["start"], e["end"]) for e in p["evidence"]),
                why=p.get("why", ""),
                probabilities=p.get("probabilities", {}),
            )
            for p in data["points"]
        )
        return cls(
            engine=data["engine"],
            points=points,
            score=data["score"],
            reason=data.get("reason", ""),
            note=data.get("note", ""),
            usage=tuple(data.get("usage", ())),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a judge says of one answer: one verdict a claim, in order; quotes are not checked yet."""

    engine: str
    points: tuple[PointGrade, ...]
    note: str = ""
    usage: tuple[dict[str, Any], ...] = ()


class Judge(Protocol):
    """Who gives verdicts: one per claim, each with quotes."""

    name: str

    async def judge(self, task: JudgingTask, *, transcript: Transcript | None = None) -> Judgement:
        """Judge one answer; the transcript, where there is one, ends with it."""
        ...


def task_of(card: Card, answer: str, *, lang: Lang) -> JudgingTask:
    """Put a card and an answer into the judge's words."""
    other: Lang = "zh" if lang == "en" else "en"
    return JudgingTask(
        question=card.question.get(lang),
        answer=answer,
        lang=lang,
        claims=tuple(
            Claim(
                id=p.id,
                text=p.text.get(lang),
                translated=p.text.get(other),
                weight=p.weight,
                keys=p.keys,
                value=p.value,
            )
            for p in card.points
        ),
        wrong_claims=tuple(
            WrongClaim(
                text=m.claim.get(lang),
                translated=m.claim.get(other),
                why=m.why.get(lang),
                contradicts=tuple(m.contradicts),
                keys=m.keys,
            )
            for m in card.misconceptions
        ),
    )


def score_of(points: Sequence[PointGrade], weights: dict[str, float]) -> float | None:
    """Return the weighted share of credit over the decided points, 0 to 1; None when too few are decided."""
    decided = [p for p in points if p.verdict != "uncertain"]
    total = sum(weights.values())
    weight = sum(weights[p.id] for p in decided)
    if total <= 0 or weight < LEAST_DECIDED * total:
        return None
    return round(sum(CREDIT[p.verdict] * weights[p.id] for p in decided) / weight, 4)

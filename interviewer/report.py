"""The report of a session: one value, rendered as Markdown or JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from interviewer.cards import Bilingual, Card
from interviewer.grading.grade import Grade, PointGrade
from interviewer.language import Lang
from interviewer.library import Library
from interviewer.progress import Asked, progress
from interviewer.prompts import render
from interviewer.transcript import Transcript
from interviewer.usage import Cost, spent_in

SKIPPED = Bilingual(en="skipped", zh="跳过")


@dataclass(frozen=True, slots=True, kw_only=True)
class PointReport:
    """How one point went."""

    id: str
    text: str
    verdict: str
    evidence: tuple[str, ...]
    why: str
    source: str
    """Where the note says it: file:line."""
    source_text: str
    claimed: bool | None = None
    """Of a point that the judge couldn't tell: whether the candidate says it was said; None of other points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardReport:
    """How one question went."""

    id: str
    topic: str
    question: str
    why: str
    score: float | None
    """Of the first answer and its follow-ups; what was said after the points were shown doesn't count."""
    again: float | None
    """Of the last answer after going back to the graded question; None when that was not done."""
    reason: str
    note: str
    """How it was judged, where that needs saying."""
    hints: int
    answers: tuple[str, ...]
    passages: tuple[str, ...]
    points: tuple[PointReport, ...]
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a session went."""

    session: str
    lang: Lang
    engine: str
    started: str
    finished: bool
    score: float | None
    """Mean over the graded questions, 0 to 1."""
    topics: dict[str, float | None]
    titles: dict[str, str]
    """Titles of the topics in the language of the session."""
    cards: tuple[CardReport, ...]
    review: tuple[str, ...]
    """Passages to read again, the heaviest misses first."""
    cost: Cost | None
    """What the calls of a model took; None with the offline engine."""
    self_assessed: tuple[int, int]
    """Of the points that the judge couldn't tell: how many the candidate says were said, and how many there are. They
    count in no score."""
    gone: tuple[str, ...]
    """Cards that were asked but are no longer in the library: they can't be shown and don't count."""

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return asdict(self)

    def as_markdown(self) -> str:
        """Return the report as Markdown."""
        return render("report", lang=self.lang, report=self) + "\n"


def make_report(transcript: Transcript, library: Library) -> Report:
    """Put together what a transcript says."""
    where = progress(transcript)
    lang = where.settings.lang
    tried: dict[str, list[Asked]] = {}
    for asked in where.asked:
        if asked.grades or asked.skipped:
            tried.setdefault(asked.card_id, []).append(asked)
    cards = tuple(
        _card(tries, library.cards[name], library, lang) for name, tries in tried.items() if name in library.cards
    )
    opened = transcript.turns[0]
    return Report(
        session=transcript.session_id,
        lang=lang,
        engine=opened.data["engine"],
        started=opened.at.isoformat(timespec="seconds"),
        finished=where.closed,
        score=_mean([card.score for card in cards]),
        topics={
            topic: _mean([c.score for c in cards if c.topic == topic]) for topic in sorted({c.topic for c in cards})
        },
        titles={topic: library.titles[topic].get(lang) for topic in sorted({c.topic for c in cards})},
        cards=cards,
        review=_review(cards, library),
        cost=spent_in(transcript),
        self_assessed=(
            sum(p.claimed is True for card in cards for p in card.points),
            sum(p.claimed is not None for card in cards for p in card.points),
        ),
        gone=tuple(name for name in tried if name not in library.cards),
    )


def _mean(scores: list[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return round(sum(known) / len(known), 4) if known else None


def _card(tries: list[Asked], card: Card, library: Library, lang: Lang) -> CardReport:
    graded = [asked for asked in tries if asked.grades]
    asked = graded[0] if graded else tries[-1]
    again = graded[-1].grade(card) if len(graded) > 1 else None
    grade = asked.grade(card) or Grade(engine="", reason=SKIPPED.get(lang))
    verdicts = {point.id: point for point in grade.points}
    return CardReport(
        id=card.id,
        topic=card.topic,
        question=card.question.get(lang),
        why=asked.turn.data["why"],
        score=grade.score,
        again=again.score if again else None,
        reason=grade.reason,
        note=grade.note,
        hints=asked.hints,
        answers=tuple(turn.text for turn in asked.answers),
        passages=tuple(asked.turn.data["passages"]),
        points=tuple(
            _point(card, point_id, verdicts.get(point_id), library, lang, asked.claimed)
            for point_id in [p.id for p in card.points]
        ),
        reference=card.reference.get(lang),
    )


def _point(
    card: Card, point_id: str, verdict: PointGrade | None, library: Library, lang: Lang, claimed: tuple[str, ...]
) -> PointReport:
    point = card.point(point_id)
    citation = library.cited(card, point, lang)
    return PointReport(
        id=point_id,
        text=point.text.get(lang),
        verdict=verdict.verdict if verdict else "not graded",
        evidence=tuple(span.text for span in verdict.evidence) if verdict else (),
        why=verdict.why if verdict else "",
        source=citation.cite if citation else "",
        source_text=citation.text if citation else "",
        claimed=point_id in claimed if verdict and verdict.verdict == "uncertain" else None,
    )


def _review(cards: tuple[CardReport, ...], library: Library) -> tuple[str, ...]:
    weak: dict[str, int] = {}
    for card in cards:
        for point in card.points:
            if point.verdict != "covered" and point.source:
                weight = library.cards[card.id].point(point.id).weight
                weak[point.source] = weak.get(point.source, 0) + weight
    return tuple(sorted(weak, key=lambda source: (-weak[source], source))[:10])

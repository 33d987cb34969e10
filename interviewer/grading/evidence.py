"""No verdict without a quote: what the answer does not say verbatim is dropped."""

from collections.abc import Sequence
from dataclasses import replace

from interviewer.cards import Bilingual
from interviewer.grading.grade import NEEDS_EVIDENCE, PointGrade
from interviewer.language import Lang, Span

NO_QUOTE = Bilingual(en="no quote of the answer carries this verdict", zh="回答里没有原话能支撑这个判定")


def checked(points: Sequence[PointGrade], answer: str, *, lang: Lang) -> tuple[PointGrade, ...]:
    """Keep the quotes that stand in the answer; a verdict left without one becomes uncertain."""
    return tuple(_checked(point, answer, lang) for point in points)


def _checked(point: PointGrade, answer: str, lang: Lang) -> PointGrade:
    kept = tuple(found for quote in point.evidence if (found := _find(quote, answer)))
    if point.verdict in NEEDS_EVIDENCE and not kept:
        return replace(point, verdict="uncertain", evidence=(), why=NO_QUOTE.get(lang))
    return replace(point, evidence=kept)


def _find(quote: Span, answer: str) -> Span | None:
    if quote.text and answer[quote.start : quote.end] == quote.text:
        return quote
    start = answer.find(quote.text) if quote.text.strip() else -1
    return Span(quote.text, start, start + len(quote.text)) if start >= 0 else None

"""No verdict without a quote: what the answer does not say verbatim is dropped."""

from collections.abc import Sequence
from dataclasses import replace

from interviewer.cards import Bilingual
from interviewer.grading.grade import NEEDS_EVIDENCE, PointGrade
from interviewer.language import Lang, Span, normalise

NO_QUOTE = Bilingual(en="no quote of the answer carries this verdict", zh="回答里没有原话能支撑这个判定")

SHORTEST = 4
"""Letters that a quote needs to be found when it is not verbatim."""


def checked(points: Sequence[PointGrade], answer: str, *, lang: Lang) -> tuple[PointGrade, ...]:
    """Keep the quotes that stand in the answer; a verdict left without one becomes uncertain."""
    return tuple(_checked(point, answer, lang) for point in points)


def holds(text: str, quote: str) -> bool:
    """Tell whether a text holds a quote, whatever the width, case, spaces and punctuation."""
    wanted, _ = _letters(quote)
    return len(wanted) >= SHORTEST and wanted in _letters(text)[0]


def _checked(point: PointGrade, answer: str, lang: Lang) -> PointGrade:
    kept = tuple(found for quote in point.evidence if (found := _find(quote, answer)))
    if point.verdict in NEEDS_EVIDENCE and not kept:
        return replace(point, verdict="uncertain", evidence=(), why=NO_QUOTE.get(lang))
    return replace(point, evidence=kept)


def _find(quote: Span, answer: str) -> Span | None:
    if quote.text and answer[quote.start : quote.end] == quote.text:
        return quote
    start = answer.find(quote.text) if quote.text.strip() else -1
    return Span(quote.text, start, start + len(quote.text)) if start >= 0 else _loosely(quote.text, answer)


def _loosely(quote: str, answer: str) -> Span | None:
    """Find a quote that differs in width, case, spaces or punctuation; what is kept is the answer's own text."""
    wanted, _ = _letters(quote)
    said, places = _letters(answer)
    start = said.find(wanted) if len(wanted) >= SHORTEST else -1
    if start < 0:
        return None
    first, last = places[start], places[start + len(wanted) - 1] + 1
    return Span(answer[first:last], first, last)


def _letters(text: str) -> tuple[str, list[int]]:
    """Return the folded letters and digits of a text, and where each stands."""
    found = [
        (letter, place) for place, character in enumerate(text) for letter in normalise(character) if letter.isalnum()
    ]
    return "".join(letter for letter, _ in found), [place for _, place in found]

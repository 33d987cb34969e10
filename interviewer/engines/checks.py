"""What a model phrases is checked before the candidate sees it; what fails is replaced by the card's own words."""

import re
from collections.abc import Sequence

from interviewer.cards import Card, Point
from interviewer.language import HAN, LATIN, Lang, normalise
from interviewer.leaks import given_away

QUESTION_MARK = re.compile(r"[?？]")
SCORE = re.compile(r"\d+\s*(?:/|of|out of)\s*\d+|\d+\s*(?:points|分|%)|满分|full marks|score", re.I)
MARKUP = re.compile(r"<\|?[a-z_/]|DIRECTION|```|[{}]|^\s*(?:[-*#]|\d+\.)\s", re.I | re.M)


def question_problem(text: str, *, card: Card, lang: Lang) -> str | None:
    """Return what is wrong with a question that a model phrased; None when it may be asked."""
    own = card.question.get(lang)
    if problem := shape_problem(text, lang=lang, longest=2 * len(own) + 80):
        return problem
    if not 1 <= len(QUESTION_MARK.findall(text)) <= max(1, len(QUESTION_MARK.findall(own))):
        return "it is not one question"
    if normalise(card.subject.get(lang)) not in normalise(text):
        return "it does not name the subject"
    return _leak(text, card=card, points=card.points)


def follow_up_problem(text: str, *, card: Card, open_points: Sequence[Point], lang: Lang) -> str | None:
    """Return what is wrong with a follow-up; None when it may be asked."""
    if problem := shape_problem(text, lang=lang, longest=300):
        return problem
    if len(QUESTION_MARK.findall(text)) != 1:
        return "it is not one question"
    return _leak(text, card=card, points=open_points)


def remark_problem(text: str, *, card: Card, open_points: Sequence[Point], lang: Lang) -> str | None:
    """Return what is wrong with a remark on an answer; None when it may be said."""
    if problem := shape_problem(text, lang=lang, longest=500):
        return problem
    if QUESTION_MARK.search(text):
        return "it asks something"
    if SCORE.search(text):
        return "it speaks of a score: the number is the code's"
    return _leak(text, card=card, points=open_points)


def shape_problem(text: str, *, lang: Lang, longest: int) -> str | None:
    """Return what is wrong with the form of a text: empty, too long, marked up, in the other language."""
    if not text.strip():
        return "it is empty"
    if len(text) > longest:
        return "it is too long"
    if MARKUP.search(text) or "\ufffd" in text:
        return "it has markup in it"
    han, latin = len(HAN.findall(text)), len(LATIN.findall(text))
    if (lang == "zh" and han * 3 < latin) or (lang == "en" and han):
        return "it is not in the language of the session"
    return None


def _leak(text: str, *, card: Card, points: Sequence[Point]) -> str | None:
    leaked = next((found for point in points if (found := given_away(text, card=card, point=point))), None)
    return f"it gives a point away: {leaked}" if leaked else None

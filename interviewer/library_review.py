"""What a reviewer of the knowledge looks at: does the source say it, is it asked twice, do both languages agree.

Some of it is a problem that must be mended; the rest is reported, nearest to doubt first.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from interviewer.cards import Card, Problem
from interviewer.language import LANGS, Lang
from interviewer.library import Library
from interviewer.retrieval.embedder import Embedder

SAME = 0.92
"""Cosine of two questions above which they ask the same thing."""
DOUBTFUL = 0.35
"""Cosine of a point to the line it rests on under which somebody should look."""
TOLD = 0.85
"""Share of a point's terms that its own question and hints must not hold."""
WORDS_A_MINUTE = 150
NUMBER = re.compile(r"(?<![A-Za-z0-9_.@-])\d+(?:[.,]\d+)*")
PLAIN = re.compile(r"[^0-9]")
SMALL = 20
"""Numbers up to this are also written as words ("two", 两), so that they are not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """How near a point is to the line of the note that it rests on."""

    card: str
    point: str
    cite: str
    cosine: float


def review(library: Library, model: Embedder) -> tuple[list[Problem], dict[str, Any]]:
    """Return what must be mended, and what is reported."""
    problems = [*_unknown_prerequisites(library), *_unequal(library), *_told(library), *_twins(library, model)]
    found = sorted(_support(library, model), key=lambda support: support.cosine)
    seconds = [60 * len(card.reference.en.split()) / WORDS_A_MINUTE for card in library.examples]
    report = {
        "support": {
            "mean": round(sum(s.cosine for s in found) / len(found), 3) if found else None,
            "doubtful": sum(s.cosine < DOUBTFUL for s in found),
            "lowest": [asdict(support) for support in found[:10]],
        },
        "reference_seconds": {"shortest": round(min(seconds)), "longest": round(max(seconds))} if seconds else {},
        "coverage": coverage(library),
    }
    return sorted(problems, key=lambda problem: (problem.file, problem.line)), report


def coverage(library: Library) -> dict[str, dict[int, int]]:
    """Return how many cards of each difficulty a topic has."""
    counts: dict[str, Counter[int]] = {topic: Counter() for topic in library.titles}
    for card in library.cards.values():
        counts[card.topic][card.difficulty] += 1
    return {topic: {level: found[level] for level in range(1, 6)} for topic, found in sorted(counts.items())}


def coverage_table(library: Library) -> str:
    """Return the coverage as a Markdown table."""
    found = coverage(library).items()
    rows = [f"| {topic} | {' | '.join(str(number or '') for number in row.values())} |" for topic, row in found]
    return "\n".join(["| topic | 1 | 2 | 3 | 4 | 5 |", "|---|---|---|---|---|---|", *rows])


def _where(library: Library, card_id: str, *, message: str, part: str = "id") -> Problem:
    for file in library.card_files:
        for number, card in enumerate(file.topic.cards):
            if card.id == card_id:
                return Problem(file=file.name, line=file.line(("cards", number, part)), message=f"{card_id}: {message}")
    raise KeyError(card_id)


def _unknown_prerequisites(library: Library) -> Iterator[Problem]:
    for card in library.cards.values():
        for topic in card.prerequisites:
            if topic not in library.titles or topic == card.topic:
                message = f"prerequisite {topic} is no other topic of this folder"
                yield _where(library, card.id, part="prerequisites", message=message)


def _unequal(library: Library) -> Iterator[Problem]:
    """Numbers of a point must be the same in both languages."""
    for card in library.cards.values():
        for point in card.points:
            en, zh = (_numbers(point.text.get(lang)) for lang in LANGS)
            if en != zh:
                message = f"point {point.id} has the numbers {sorted(en)} in English and {sorted(zh)} in Chinese"
                yield _where(library, card.id, part="points", message=message)


def _numbers(text: str) -> set[str]:
    """Return the digits of the numbers in a text that are too large to be written as words.

    Without zeros at the ends, as 15,000 is 1.5 万 in Chinese.
    """
    found = {PLAIN.sub("", number).strip("0") for number in NUMBER.findall(text)}
    return {digits for digits in found if digits and int(digits) > SMALL}


def _told(library: Library) -> Iterator[Problem]:
    terms = library.glossary.terms
    for card in library.cards.values():
        if card.computed:
            continue
        for lang in LANGS:
            told = set(terms(" . ".join([card.question.get(lang), *(hint.get(lang) for hint in card.hints)])))
            for point in card.points:
                claim = set(terms(point.text.get(lang)))
                if claim and len(claim & told) > TOLD * len(claim):
                    message = f"question and hints ({lang}) tell {point.id}"
                    yield _where(library, card.id, part="points", message=message)


def _twins(library: Library, model: Embedder) -> Iterator[Problem]:
    cards: list[Card] = list(library.examples)
    vectors = model.embed([card.question.en for card in cards])
    alike = vectors @ vectors.T
    for one, other in combinations(range(len(cards)), 2):
        if alike[one, other] > SAME:
            origin = cards[one].id.partition("@")[0]
            message = f"asks the same as {cards[other].id} (similarity {alike[one, other]:.2f})"
            yield _where(library, origin, part="question", message=message)


def _support(library: Library, model: Embedder) -> Iterator[Support]:
    lang: Lang = "en"
    rows = [
        (card.id, point.id, citation, point.text.get(lang))
        for card in library.examples
        if not card.computed  # its points are sums, the line is the formula
        for point in card.points
        if (citation := library.cited(card, point, lang))
    ]
    points = model.embed([text for _, _, _, text in rows])
    lines = model.embed([citation.text for _, _, citation, _ in rows])
    for (card, point, citation, _), cosine in zip(rows, (points * lines).sum(axis=1), strict=True):
        yield Support(card=card, point=point, cite=citation.cite, cosine=round(float(cosine), 3))

"""Checks of the knowledge: what must hold before a card is asked."""

import re
from collections import Counter
from collections.abc import Iterator

from interviewer.cards import Card, Misconception, Point, Problem
from interviewer.computed.draw import draw
from interviewer.grading.grade import task_of
from interviewer.grading.numbers import check_numbers
from interviewer.language import HAN, LANGS, Lang, normalise, says_any
from interviewer.leaks import given_away
from interviewer.library import CITED, HEADING, Library

Where = tuple[int | str, ...]
DRAWS = 12
"""Draws of a computed card that are checked."""


def check(library: Library) -> list[Problem]:
    """Return everything wrong with the cards and notes of a library, with file and line."""
    problems = [*library.problems, *_double_ids(library), *_notes(library)]
    for file in library.card_files:
        for number, card in enumerate(file.topic.cards):
            for where, message in _computed(library, card) if card.computed else _card(library, card):
                location = ("cards", number, *where)
                problems.append(Problem(file=file.name, line=file.line(location), message=f"{card.id}: {message}"))
    return sorted(problems, key=lambda problem: (problem.file, problem.line))


def _double_ids(library: Library) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for file in library.card_files:
        for number, card in enumerate(file.topic.cards):
            line = file.line(("cards", number, "id"))
            if card.id in seen:
                yield Problem(file=file.name, line=line, message=f"id {card.id} is already used in {seen[card.id]}")
            seen.setdefault(card.id, f"{file.name}:{line}")


def _notes(library: Library) -> Iterator[Problem]:
    sources = library.folder / "SOURCES.md"
    known = set(re.findall(r"^- ([a-z0-9]+):", sources.read_text("utf-8"), re.M)) if sources.is_file() else set()
    shapes: dict[str, dict[Lang, list[int]]] = {}
    for note in library.notes:
        levels = [len(match[1]) for line in note.lines if (match := HEADING.match(line))]
        shapes.setdefault(note.name, {})[note.lang] = levels
        for number, line in enumerate(note.lines, start=1):
            for key in CITED.findall(line):
                if known and key not in known:
                    yield Problem(file=note.file, line=number, message=f"source [{key}] is not in SOURCES.md")
    for name in {file.topic.topic for file in library.card_files}:
        shape = shapes.get(name, {})
        for lang in LANGS:
            if lang not in shape:
                yield Problem(file=f"notes/{name}.{lang}.md", line=1, message="the topic has no note in this language")
        if len(shape) == len(LANGS) and shape["en"] != shape["zh"]:
            yield Problem(
                file=f"notes/{name}.zh.md",
                line=1,
                message="its headings are not those of the English note, level by level",
            )


def _card(library: Library, card: Card) -> Iterator[tuple[Where, str]]:
    if not card.id.startswith(f"{card.topic}-"):
        yield ("id",), f"the id must start with {card.topic}-"
    for name, count in Counter(point.id for point in card.points).items():
        if count > 1:
            yield ("points",), f"point {name} stands {count} times"
    yield from _question(card)
    yield from _hints(card)
    for number, point in enumerate(card.points):
        for where, message in _point(library, card, point):
            yield ("points", number, *where), f"point {point.id}: {message}"
    for number, wrong in enumerate(card.misconceptions):
        for where, message in _misconception(card, wrong):
            yield ("misconceptions", number, *where), f"misconception {wrong.id}: {message}"


def _computed(library: Library, card: Card) -> Iterator[tuple[Where, str]]:
    """Check a computed card as it is asked, with a few draws."""
    for seed in range(DRAWS):
        try:
            drawn = draw(card, seed)
        except (KeyError, ValueError, TypeError, ZeroDivisionError, OverflowError) as error:
            yield ("computed",), f"cannot be drawn: {type(error).__name__}: {error}"
            return
        if seed == 0:
            yield from _card(library, drawn)
        for lang in LANGS:
            for grade in check_numbers(task_of(drawn, drawn.reference.get(lang), lang=lang)):
                if grade.verdict != "covered":
                    yield ("reference", lang), f"with seed {seed} the reference does not give {grade.id}"
            told = [("question", drawn.question), *((f"hint {n}", hint) for n, hint in enumerate(drawn.hints, 1))]
            told += [(f"follow-up of {point.id}", point.follow_up) for point in drawn.points]
            for name, text in told:
                for point in drawn.points:
                    if given_away(text.get(lang), card=drawn, point=point):
                        yield ("points",), f"with seed {seed} the {name} ({lang}) gives {point.id} away"


def _question(card: Card) -> Iterator[tuple[Where, str]]:
    if not HAN.search(card.question.zh) or HAN.search(card.question.en):
        yield ("question",), "the question must be Chinese under zh and English under en"
    for lang in LANGS:
        if normalise(card.subject.get(lang)) not in normalise(card.question.get(lang)):
            yield ("subject", lang), f"subject {card.subject.get(lang)!r} does not stand in the question"


def _hints(card: Card) -> Iterator[tuple[Where, str]]:
    for number, hint in enumerate(card.hints):
        for lang in LANGS:
            for point in card.points:
                if given := given_away(hint.get(lang), card=card, point=point):
                    yield ("hints", number, lang), f"the hint gives {point.id} away: {given}"


def _point(library: Library, card: Card, point: Point) -> Iterator[tuple[Where, str]]:
    for lang in LANGS:
        if library.cited(card, point, lang) is None:
            note = point.source.note or card.topic
            yield ("source", lang), f"source {point.source.get(lang)!r} stands in no line of notes/{note}.{lang}.md"
        if given := given_away(point.follow_up.get(lang), card=card, point=point):
            yield ("follow_up", lang), f"the follow-up gives the point away: {given}"
        for number, group in enumerate(point.keys):
            if not says_any(normalise(card.reference.get(lang)), group):
                yield ("keys", number), f"the {lang} reference says none of {group}"


def _misconception(card: Card, wrong: Misconception) -> Iterator[tuple[Where, str]]:
    known = {point.id for point in card.points}
    for name in wrong.contradicts:
        if name not in known:
            yield ("contradicts",), f"the card has no point {name}"
    for lang in LANGS:
        if not all(says_any(normalise(wrong.claim.get(lang)), group) for group in wrong.keys):
            yield ("keys",), f"its own {lang} claim does not match the keys"


def counts(library: Library) -> dict[str, int]:
    """Return how much there is: topics, notes, cards, points, computed cards."""
    return {
        "topics": len(library.card_files),
        "notes": len(library.notes),
        "cards": len(library.cards),
        "points": sum(len(card.points) for card in library.cards.values()),
        "computed": sum(card.computed is not None for card in library.cards.values()),
    }

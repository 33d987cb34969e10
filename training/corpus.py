"""The product's text in both languages, line by line: what the bilingual model learns from, and what measures it.

Of the cards it learns from those of the train split only. It never sees an answer or a label.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

import yaml

from interviewer.cards import Bilingual, Card
from interviewer.labels import split_of
from interviewer.language import sentences
from interviewer.library import CITED, Library, open_library
from interviewer.settings import data_folder

MARKUP = "#- |"
SHORTEST_LINE = 4
"""Characters of a Chinese line under which it is a rule of a table or empty."""
SHORTEST_HELD_OUT = 13
"""Characters of a Chinese text that is worth measuring on."""


class Pair(NamedTuple):
    """The same words in both languages."""

    en: str
    zh: str


def shipped_library() -> Library:
    """Open the library that ships, without any drafted card."""
    return open_library(data_folder("knowledge"))


def parallel(library: Library) -> list[Pair]:
    """Return everything to learn from, nothing twice: notes, cards of the train split, glossary."""
    cards = [card for card in library.cards.values() if split_of(card.id) == "train"]
    of_cards = [pair for card in cards for text in (*_said(card), *_quoted(card)) for pair in _with_sentences(text)]
    return list(dict.fromkeys([*_lines_of_notes(library), *of_cards, *glossary_words(library)]))


def held_out(library: Library, *, size: int) -> list[Pair]:
    """Draw texts of the dev split's cards. Quotes are left out: they stand in the notes, word for word."""
    cards = [card for card in library.cards.values() if split_of(card.id) == "dev" and card.computed is None]
    texts = [Pair(text.en, text.zh) for card in cards for text in _said(card) if len(text.zh) >= SHORTEST_HELD_OUT]
    taught = set(parallel(library))
    return random.Random(0).sample([pair for pair in dict.fromkeys(texts) if pair not in taught], size)


def glossary_words(library: Library) -> list[Pair]:
    """Return each Chinese wording of the glossary with the English name of its concept."""
    rows = yaml.safe_load((library.folder / "glossary.yaml").read_text("utf-8"))
    return [Pair(str(row["en"][0]), str(wording)) for row in rows for wording in row["zh"]]


def _lines_of_notes(library: Library) -> Iterator[Pair]:
    """Both languages of a note have the same sentence on the same line."""
    chinese = {note.name: note for note in library.notes if note.lang == "zh"}
    for note in library.notes:
        if note.lang == "en":
            for en, zh in zip(note.lines, chinese[note.name].lines, strict=True):
                pair = Pair(_bare(en), _bare(zh))
                if len(pair.zh) >= SHORTEST_LINE:
                    yield pair


def _bare(line: str) -> str:
    return CITED.sub("", line).strip(MARKUP).strip()


def _said(card: Card) -> Iterator[Bilingual]:
    yield from (card.subject, card.question, card.reference, *card.hints)
    for point in card.points:
        yield from (point.text, point.follow_up)
    for wrong in card.misconceptions:
        yield from (wrong.claim, wrong.why)


def _quoted(card: Card) -> Iterator[Bilingual]:
    return (point.source for point in card.points)


def _with_sentences(text: Bilingual) -> Iterator[Pair]:
    """Return a text, and its sentences too where both languages have as many."""
    yield Pair(text.en, text.zh)
    english, chinese = sentences(text.en), sentences(text.zh)
    if len(english) == len(chinese) > 1:
        yield from (Pair(en.text, zh.text) for en, zh in zip(english, chinese, strict=True))

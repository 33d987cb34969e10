"""Figures of agreement: per point, per answer, per pair; each the textbook's, computed by scikit-learn and SciPy."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn import metrics as sk

from interviewer.evaluation.judged import JudgedAnswer, JudgedPoint
from interviewer.labels import LABELS, LabelledAnswer

Numbers = npt.NDArray[np.float64]
RESAMPLES = 1000
BINS = 10
"""Bins of the reliability curve, and steps of the weighted kappa's scale."""
DRAWN = 0
"""Seed of the bootstrap: the same file gives the same interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its 95 % interval over questions."""

    value: float
    low: float
    high: float

    def as_json(self) -> list[float]:
        """Return value, low, high."""
        return [round(self.value, 3), round(self.low, 3), round(self.high, 3)]


def by_point(points: Sequence[JudgedPoint]) -> dict[str, Any]:
    """Return the figures over points; verdicts are the likeliest ones, coverage tells how many were left uncertain."""
    if not points:
        return {"points": 0}
    label = [p.label for p in points]
    decided = [p.decided for p in points]
    sure = [p for p in points if p.verdict != "uncertain"]
    covered = np.array([p.label == "covered" for p in points])
    figures: dict[str, Any] = {
        "points": len(points),
        "questions": len({p.group for p in points}),
        "accuracy": sk.accuracy_score(label, decided),
        "kappa": kappa_interval(points).as_json(),
        "kappa_of_four": _kappa_of_four(label, decided),
        "auc": _auc(covered, np.array([p.chance for p in points])),
        "auc_inside_an_answer": inside_an_answer(points),
        "calibration_error": calibration_error(points),
        "coverage": len(sure) / len(points),
        "accuracy_of_the_sure": sk.accuracy_score([p.label for p in sure], [p.decided for p in sure]) if sure else None,
        "accuracy_without_least_certain_quarter": accuracy_at(points, 0.75),
        "bias": float(np.mean([d == "covered" for d in decided]) - covered.mean()),
        "macro_f1": sk.f1_score(label, decided, labels=LABELS, average="macro", zero_division=0.0),
        "micro_f1": sk.f1_score(label, decided, labels=LABELS, average="micro", zero_division=0.0),
    }
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        label, decided, labels=LABELS, zero_division=0.0
    )
    for i, verdict in enumerate(LABELS):
        figures[verdict] = _rounded(
            {"precision": precision[i], "recall": recall[i], "f1": f1[i], "labelled": int(support[i])}
        )
    return _rounded(figures)


def by_answer(answers: Sequence[JudgedAnswer]) -> dict[str, Any]:
    """Return the figures over answers that have a score on both sides; beside each r, that of length alone."""
    rows = [a for a in answers if a.human is not None and a.score is not None]
    if len(rows) < 3:
        return {"answers": len(rows)}
    human = np.array([a.human for a in rows], dtype=float)
    score = np.array([a.score for a in rows], dtype=float)
    length = np.array([len(a.labelled.answer) for a in rows], dtype=float)
    groups = [a.labelled.group for a in rows]
    return _rounded(
        {
            "answers": len(rows),
            "pearson": _r(human, score),
            "pearson_of_length": _r(human, length),
            "spearman": _r(stats.rankdata(human), stats.rankdata(score)),
            "r_within_questions": within(human, score, groups),
            "r_within_questions_of_length": within(human, length, groups),
            "weighted_kappa": sk.cohen_kappa_score(
                np.rint(human * BINS).astype(int),
                np.rint(score * BINS).astype(int),
                weights="quadratic",
                labels=list(range(BINS + 1)),
            ),
            "mae": sk.mean_absolute_error(human, score),
            "rmse": sk.root_mean_squared_error(human, score),
            "r2": sk.r2_score(human, score),
            "bias": float((score - human).mean()),
        }
    )


def by_pair(answers: Sequence[JudgedAnswer]) -> dict[str, Any]:
    """Return how often the changed point of a minimal pair flips and the others stay, and what translation moves.

    A pair flips when the judge's likeliest verdict was right before the change and is right after it, in terms of
    covered or not; another point moves when its likeliest verdict changes between covered and not.
    """
    found = {a.labelled.id: {p.point: p for p in a.points} for a in answers}
    flips: dict[str, list[bool]] = defaultdict(list)
    moved: list[bool] = []
    parity: list[bool] = []
    for answer in answers:
        pair, source = answer.labelled.pair, answer.labelled.translates
        here = found[answer.labelled.id]
        if pair and pair.of in found:
            before = found[pair.of]
            for name in here.keys() & before.keys():
                one, two = before[name], here[name]
                if name != pair.point:
                    moved.append((one.decided == "covered") != (two.decided == "covered"))
                elif (one.label == "covered") != (two.label == "covered"):
                    right = all((p.decided == "covered") == (p.label == "covered") for p in (one, two))
                    flips[pair.change].append(right)
        if source and source in found:
            before = found[source]
            parity += [before[name].decided != here[name].decided for name in here.keys() & before.keys()]
    every = [flip for changes in flips.values() for flip in changes]
    return _rounded(
        {
            "pairs": len(every),
            "changed_point_flips": _mean(every),
            **{f"flips_{change}": _mean(done) for change, done in sorted(flips.items())},
            "other_points_stay": None if not moved else 1 - float(np.mean(moved)),
            "translated_points": len(parity),
            "translation_moves": _mean(parity),
        }
    )


def blind_agreement(answers: Iterable[LabelledAnswer]) -> dict[str, Any]:
    """Return how far two readers agree who labelled the same answers."""
    rows = [
        (a.verdicts[name], second) for a in answers for name, second in (a.blind or {}).items() if name in a.verdicts
    ]
    if not rows:
        return {"points": 0}
    one, two = [r[0] for r in rows], [r[1] for r in rows]
    return _rounded(
        {
            "points": len(rows),
            "accuracy": sk.accuracy_score(one, two),
            "kappa": sk.cohen_kappa_score([v == "covered" for v in one], [v == "covered" for v in two]),
            "kappa_of_four": sk.cohen_kappa_score(one, two, labels=LABELS),
        }
    )


def kappa_interval(points: Sequence[JudgedPoint]) -> Interval:
    """Return Cohen's kappa (1960) of covered or not with its bootstrap interval over questions (Efron 1979).

    Questions are drawn, not rows: the answers to one question fail together.
    """
    groups = {name: i for i, name in enumerate(sorted({p.group for p in points}))}
    tables = np.zeros((len(groups), 2, 2))
    for point in points:
        tables[groups[point.group], int(point.label == "covered"), int(point.decided == "covered")] += 1
    rng = np.random.default_rng(DRAWN)
    times = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=RESAMPLES)
    low, high = np.nanpercentile(_kappas(np.einsum("rg,gij->rij", times, tables)), [2.5, 97.5])
    return Interval(value=float(_kappas(tables.sum(0)[None])[0]), low=float(low), high=float(high))


def inside_an_answer(points: Sequence[JudgedPoint]) -> float | None:
    """Return the AUC of covered against other points of the same answer: style and length can't help there."""
    groups: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for point in points:
        groups[point.answer][point.label == "covered"].append(point.chance)
    wins = pairs = 0.0
    for other, covered in groups.values():
        if other and covered:
            gap = np.subtract.outer(np.array(covered), np.array(other))
            wins += float((gap > 0).sum() + 0.5 * (gap == 0).sum())
            pairs += gap.size
    return wins / pairs if pairs else None


def calibration_error(points: Sequence[JudgedPoint]) -> float:
    """Return the expected calibration error of the confidence (Naeini 2015), over ten bins."""
    return sum(abs(right - sure) * count for sure, right, count in reliability(points)) / len(points)


def reliability(points: Sequence[JudgedPoint]) -> list[tuple[float, float, int]]:
    """Return mean confidence, share right, and count of each bin of confidence."""
    sure = np.array([p.confidence for p in points])
    right = np.array([p.label == p.decided for p in points])
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    return [
        (float(sure[bins == b].mean()), float(right[bins == b].mean()), int((bins == b).sum())) for b in np.unique(bins)
    ]


def accuracy_at(points: Sequence[JudgedPoint], share: float) -> float:
    """Return the accuracy, covered or not, over the most certain share of the points."""
    kept = sorted(points, key=lambda p: -abs(p.chance - 0.5))[: max(1, round(share * len(points)))]
    return float(np.mean([(p.label == "covered") == (p.decided == "covered") for p in kept]))


def within(human: Numbers, score: Numbers, groups: Sequence[str]) -> float | None:
    """Return the pooled correlation inside questions: of the deviations from each question's means."""
    rows: dict[str, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        rows[group].append(i)
    one, two = human.copy(), score.copy()
    for members in rows.values():
        one[members] -= human[members].mean()
        two[members] -= score[members].mean()
    return _r(one, two)


def _kappas(tables: Numbers) -> Numbers:
    """Return kappa of each table of counts, shape (tables, 2, 2); 1 where both sides say one and the same."""
    total = tables.sum((1, 2))
    agreed = np.trace(tables, axis1=1, axis2=2) / total
    by_chance = (tables.sum(2) * tables.sum(1)).sum(1) / total**2
    return np.where(by_chance == 1, 1.0, (agreed - by_chance) / np.where(by_chance == 1, 1.0, 1 - by_chance))


def _kappa_of_four(label: Sequence[str], decided: Sequence[str]) -> float:
    one_and_the_same = len({*label, *decided}) == 1
    return 1.0 if one_and_the_same else float(sk.cohen_kappa_score(label, decided, labels=LABELS))


def _auc(covered: npt.NDArray[np.bool_], chance: Numbers) -> float | None:
    return float(sk.roc_auc_score(covered, chance)) if covered.any() and not covered.all() else None


def _r(one: Numbers, two: Numbers) -> float | None:
    return None if one.std() == 0 or two.std() == 0 else float(stats.pearsonr(one, two).statistic)


def _mean(values: Sequence[bool]) -> float | None:
    return float(np.mean(values)) if values else None


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: round(float(v), 3) if isinstance(v, float | np.floating) else v for name, v in figures.items()}

"""Fits the stack: what words, embeddings and the cross-encoder say, weighed into calibrated probabilities.

Fitted on the dev split alone, whose cards the cross-encoder was not trained on; every answer counts twice, with the
declared wordings of its card and by the text of the points alone, so that one stack serves both.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from interviewer.evaluation.judged import task_for
from interviewer.grading.gates import gate
from interviewer.grading.offline import OfflineJudge
from interviewer.grading.signals import NAMES
from interviewer.grading.stack import CROSS, FILE
from interviewer.labels import LABELS, read_labelled, split_of
from interviewer.library import open_library
from interviewer.settings import data_folder

Doubles = npt.NDArray[np.float64]
FOLDS = 6
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3)
UNSURE = 0.15
"""Share of the points that are left uncertain: where one more decided point would hardly be better than a guess."""


def rows() -> tuple[Doubles, npt.NDArray[np.int64], list[str]]:
    """Return features, labels and cards of the points of the dev split."""
    library = open_library(data_folder("knowledge"))
    judge = OfflineJudge(library.glossary)
    features, labels, cards = [], [], []
    for answer in read_labelled(data_folder("knowledge") / "answers"):
        if not answer.card or split_of(answer.card) != "dev":
            continue
        whole = task_for(answer, library)
        bare = replace(whole, claims=tuple(replace(c, keys=()) for c in whole.claims), wrong_claims=())
        for task in (whole, bare):
            if gate(task, library.glossary):
                continue
            for claim, row in zip(task.claims, judge.features(task), strict=False):
                features.append(row)
                labels.append(LABELS.index(answer.verdicts[claim.id]))
                cards.append(answer.card)
    return np.array(features), np.array(labels), cards


def fitted(
    features: Doubles, labels: npt.NDArray[np.int64], strength: float
) -> tuple[StandardScaler, LogisticRegression]:
    """Fit one stack."""
    scaler = StandardScaler().fit(features)
    return scaler, LogisticRegression(C=strength, max_iter=5000).fit(scaler.transform(features), labels)


def held_out(features: Doubles, labels: npt.NDArray[np.int64], cards: list[str], strength: float) -> Doubles:
    """Return the logits of every row from a stack that saw no answer to its card."""
    logits = np.zeros((len(labels), len(LABELS)))
    for train, test in GroupKFold(FOLDS).split(features, labels, cards):
        scaler, model = fitted(features[train], labels[train], strength)
        logits[test] = model.decision_function(scaler.transform(features[test]))
    return logits


def softmax(logits: Doubles) -> Doubles:
    """Return shares that sum to 1 a row."""
    shares = np.exp(logits - logits.max(1, keepdims=True))
    total: Doubles = shares / shares.sum(1, keepdims=True)
    return total


def main() -> None:
    """Fit and write the stack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FILE)
    out = parser.parse_args().out
    features, labels, cards = rows()
    losses = {s: log_loss(labels, softmax(held_out(features, labels, cards, s))) for s in STRENGTHS}
    strength = min(losses, key=losses.__getitem__)
    logits = held_out(features, labels, cards, strength)
    temperature = minimize_scalar(
        lambda t: log_loss(labels, softmax(logits / t)), bounds=(0.3, 3.0), method="bounded"
    ).x
    shares = softmax(logits / temperature)
    scaler, model = fitted(features, labels, strength)
    stack = {
        "features": [*NAMES, *CROSS],
        "mean": scaler.mean_.round(6).tolist(),
        "scale": scaler.scale_.round(6).tolist(),
        "weights": model.coef_.round(6).tolist(),
        "bias": model.intercept_.round(6).tolist(),
        "temperature": round(float(temperature), 4),
        "unsure": round(float(np.quantile(shares.max(1), UNSURE)), 4),
    }
    out.write_text(json.dumps(stack, indent=1) + "\n", "utf-8")
    right = (shares.argmax(1) == labels).mean()
    print(json.dumps({"rows": len(labels), "losses": losses, "held_out_accuracy": float(right), **stack}, indent=1))


if __name__ == "__main__":
    main()

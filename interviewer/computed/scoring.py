"""What a metric or a probability comes to: numbers without a unit, or shares of one."""

import math
from collections.abc import Callable

Steps = dict[str, float]
"""Results in order, the last being the one asked for."""


def perplexity(p1: float, p2: float, p3: float, p4: float) -> Steps:
    """Return the loss in nats and the perplexity of four tokens from their probabilities [jelinek1977perplexity]."""
    loss = -sum(map(math.log, (p1, p2, p3, p4))) / 4
    return {"loss": loss, "perplexity": math.exp(loss)}


def perplexity_of_loss(loss: float) -> Steps:
    """Return bits per token and the perplexity of a mean loss in nats [jelinek1977perplexity]."""
    return {"bits": loss / math.log(2), "perplexity": math.exp(loss)}


def bits_per_byte(loss: float, tokens: float, size: float) -> Steps:
    """Return bits per byte of a text of `size` bytes from the loss in nats per token [gao2020pile]."""
    bits = loss / math.log(2)
    return {"length": size / tokens, "bits": bits, "bits_per_byte": bits * tokens / size}


def entropy(p1: float, p2: float, p3: float) -> Steps:
    """Return the entropy in bits of four probabilities, the last being the rest, and 2 to it [shannon1948entropy]."""
    rest = 1 - p1 - p2 - p3
    bits = -sum(p * math.log2(p) for p in (p1, p2, p3, rest))
    return {"rest": rest, "bits": bits, "choices": 2**bits}


def softmax_cross_entropy(z1: float, z2: float, z3: float) -> Steps:
    """Return the probability of the first of three logits, as a share, and its loss in nats [bridle1990softmax]."""
    total = sum(map(math.exp, (z1, z2, z3)))
    return {"total": total, "probability": math.exp(z1) / total, "loss": math.log(total) - z1}


def softmax_temperature(z1: float, z2: float, z3: float, temperature: float) -> Steps:
    """Return the share of the first of three logits at temperature 1 and at another [hinton2015distilling]."""
    before, after = (math.exp(z1 / t) / sum(math.exp(z / t) for z in (z1, z2, z3)) for t in (1.0, temperature))
    return {"before": before, "after": after}


def nucleus(p1: float, p2: float, p3: float, p4: float, top_p: float) -> Steps:
    """Return how many tokens top-p keeps, their mass and the new share of the first [holtzman2019nucleus]."""
    mass, kept = 0.0, 0
    for p in (p1, p2, p3, p4):
        if round(mass, 9) < top_p:
            mass, kept = mass + p, kept + 1
    return {"kept": kept, "mass": mass, "first": p1 / mass}


def min_p(p1: float, p2: float, p3: float, p4: float, share: float) -> Steps:
    """Return the threshold of min-p, how many tokens pass it and the new share of the first [nguyen2024minp]."""
    threshold = share * p1
    passing = [p for p in (p1, p2, p3, p4) if p >= threshold]
    return {"threshold": threshold, "kept": len(passing), "first": p1 / sum(passing)}


def repetition_penalty(logit: float, other: float, penalty: float) -> Steps:
    """Return the penalised logit and its share against one other logit [keskar2019ctrl]; negative ones multiply."""
    new = logit / penalty if logit > 0 else logit * penalty
    return {"before": 1 / (1 + math.exp(other - logit)), "new": new, "after": 1 / (1 + math.exp(other - new))}


def clipped_unigrams(repeats: int, allowed: int, others: int, length: int, reference: int) -> Steps:
    """Return plain and clipped unigram precision, brevity penalty and their product, shares [papineni2002bleu]."""
    clipped = (min(repeats, allowed) + others) / length
    brevity = min(1.0, math.exp(1 - reference / length))
    return {"plain": (repeats + others) / length, "clipped": clipped, "brevity": brevity, "score": clipped * brevity}


def bleu(p1: float, p2: float, p3: float, p4: float, length: int, reference: int) -> Steps:
    """Return BLEU as a share, from four clipped precisions and the two lengths [papineni2002bleu]."""
    mean = math.exp(sum(map(math.log, (p1, p2, p3, p4))) / 4)
    brevity = min(1.0, math.exp(1 - reference / length))
    return {"mean": mean, "brevity": brevity, "bleu": mean * brevity}


def rouge_l(common: int, candidate: int, reference: int) -> Steps:
    """Return ROUGE-L recall, precision and F with beta 1, shares, from a common subsequence [lin2004rouge]."""
    recall, precision = common / reference, common / candidate
    return {"recall": recall, "precision": precision, "f": 2 * recall * precision / (recall + precision)}


def word_error_rate(substitutions: int, deletions: int, insertions: int, words: int) -> Steps:
    """Return the edits and the share of them in the words of the reference [morris2004wer]."""
    errors = substitutions + deletions + insertions
    return {"errors": errors, "rate": errors / words}


def f1_of_table(tp: int, fp: int, fn: int, tn: int) -> Steps:
    """Return accuracy, precision, recall and F1, shares, from a confusion table [vanrijsbergen1979ir]."""
    accuracy = (tp + tn) / (tp + fp + fn + tn)
    return {"accuracy": accuracy, "precision": tp / (tp + fp), "recall": tp / (tp + fn), "f1": _f1(tp, fp, fn)}


def _f1(tp: float, fp: float, fn: float) -> float:
    return 2 * tp / (2 * tp + fp + fn)


def macro_micro_f1(aa: int, ab: int, ac: int, ba: int, bb: int, bc: int, ca: int, cb: int, cc: int) -> Steps:
    """Return micro F1, F1 of class C and macro F1, shares; `ab` are As labelled B [opitz2019macro]."""
    micro = (aa + bb + cc) / (aa + ab + ac + ba + bb + bc + ca + cb + cc)
    f1_a, f1_b, f1_c = _f1(aa, ba + ca, ab + ac), _f1(bb, ab + cb, ba + bc), _f1(cc, ac + bc, ca + cb)
    return {"micro": micro, "f1_a": f1_a, "f1_b": f1_b, "f1_c": f1_c, "macro": (f1_a + f1_b + f1_c) / 3}


def auc(p1: float, p2: float, n1: float, n2: float, n3: float, n4: float) -> Steps:
    """Return the rank sum of two positives, the pairs they win and the area under the ROC curve [hanley1982roc]."""
    pairs = sum((p > n) + (p == n) / 2 for p in (p1, p2) for n in (n1, n2, n3, n4))
    return {"rank_sum": pairs + 3, "pairs": pairs, "auc": pairs / 8}


def matthews(tp: int, fp: int, fn: int, tn: int) -> Steps:
    """Return numerator, denominator and value of the Matthews correlation coefficient [matthews1975mcc]."""
    numerator = tp * tn - fp * fn
    denominator = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {"numerator": numerator, "denominator": denominator, "mcc": numerator / denominator}


def kappa(both: int, only_a: int, only_b: int, neither: int) -> Steps:
    """Return observed and chance agreement, shares, and Cohen's kappa of two annotators [cohen1960kappa]."""
    total = both + only_a + only_b + neither
    observed, a, b = (both + neither) / total, (both + only_a) / total, (both + only_b) / total
    expected = a * b + (1 - a) * (1 - b)
    return {"observed": observed, "expected": expected, "kappa": (observed - expected) / (1 - expected)}


def span_f1(common: int, predicted: int, gold: int, exact: int, partial: int, total: int) -> Steps:
    """Return F1 of a partly right span, exact match and mean F1 of a test set, shares [rajpurkar2016squad]."""
    one = 2 * common / (predicted + gold)
    return {"one": one, "exact_match": exact / total, "f1": (exact + partial * one) / total}


def pass_at_k(samples: int, correct: int, k: int) -> Steps:
    """Return pass@1, the chance that k of n samples all fail, and pass@k, unbiased, as shares [chen2021codex]."""
    failing = math.comb(samples - correct, k) / math.comb(samples, k)
    return {"one": correct / samples, "failing": failing, "pass_at_k": 1 - failing}


def accuracy_interval(correct: int, total: int) -> Steps:
    """Return accuracy, its standard error and half its 95 % normal interval, shares [miller2024errorbars]."""
    accuracy = correct / total
    error = math.sqrt(accuracy * (1 - accuracy) / total)
    return {"accuracy": accuracy, "error": error, "half": 1.96 * error}


def mcnemar(only_a: int, only_b: int, total: int) -> Steps:
    """Return the difference of two accuracies, a share, and McNemar's chi-squared, uncorrected [mcnemar1947test]."""
    return {"difference": (only_a - only_b) / total, "statistic": (only_a - only_b) ** 2 / (only_a + only_b)}


def elo(rating: float, opponent: float, k: float) -> Steps:
    """Return the expected score, a share, and the points that a win brings [elo1978rating]."""
    expected = 1 / (1 + 10 ** ((opponent - rating) / 400))
    return {"expected": expected, "gain": k * (1 - expected)}


def elo_gap(wins: int, losses: int) -> Steps:
    """Return the odds and the difference of Bradley-Terry ratings on the Elo scale [bradley1952paired]."""
    return {"odds": wins / losses, "gap": 400 * math.log10(wins / losses)}


def dpo_loss(beta: float, chosen: float, ref_chosen: float, rejected: float, ref_rejected: float) -> Steps:
    """Return the implicit reward of the chosen answer, the margin and the loss in nats [rafailov2023dpo]."""
    reward = beta * (chosen - ref_chosen)
    margin = reward - beta * (rejected - ref_rejected)
    return {"reward": reward, "margin": margin, "loss": math.log1p(math.exp(-margin))}


def grpo_advantage(group: int, correct: int) -> Steps:
    """Return mean, sample deviation and advantage of a right answer, rewards 1 and 0 [shao2024deepseekmath]."""
    mean = correct / group
    deviation = math.sqrt(group * mean * (1 - mean) / (group - 1))
    return {"mean": mean, "deviation": deviation, "advantage": (1 - mean) / deviation}


def kl_divergence(p1: float, p2: float, q1: float, q2: float) -> Steps:
    """Return KL(p, q) and KL(q, p) in nats of three probabilities, the third the rest [kullback1951information]."""
    p, q = (p1, p2, 1 - p1 - p2), (q1, q2, 1 - q1 - q2)
    forward, reverse = (sum(a * math.log(a / b) for a, b in zip(x, y, strict=True)) for x, y in ((p, q), (q, p)))
    return {"p3": p[2], "q3": q[2], "forward": forward, "reverse": reverse}


def speculative_decoding(acceptance: float, drafted: int, cost: float) -> Steps:
    """Return tokens of a step, its cost in passes of the big model, and the speed-up [leviathan2022speculative]."""
    tokens = (1 - acceptance ** (drafted + 1)) / (1 - acceptance)
    return {"tokens": tokens, "passes": drafted * cost + 1, "speedup": tokens / (drafted * cost + 1)}


def majority_of_three(p: float) -> Steps:
    """Return the shares of all three, exactly two, and two or more right of three votes [condorcet1785essai]."""
    return {"all": p**3, "two": 3 * p**2 * (1 - p), "majority": p**3 + 3 * p**2 * (1 - p)}


def reciprocal_rank_fusion(a1: int, a2: int, b1: int, b2: int, constant: int) -> Steps:
    """Return the fused scores of two documents from their ranks in two lists [cormack2009rrf]."""
    return {"first": 1 / (constant + a1) + 1 / (constant + a2), "second": 1 / (constant + b1) + 1 / (constant + b2)}


def mean_reciprocal_rank(r1: int, r2: int, r3: int, misses: int) -> Steps:
    """Return the sum and the mean of reciprocal first ranks; a query that found nothing gives 0 [voorhees1999qa]."""
    total = 1 / r1 + 1 / r2 + 1 / r3
    return {"sum": total, "mrr": total / (3 + misses)}


def ndcg(g1: int, g2: int, g3: int, g4: int, g5: int) -> Steps:
    """Return DCG, ideal DCG and their ratio for a ranked list of grades, linear gain [jarvelin2002ndcg]."""
    given = (g1, g2, g3, g4, g5)
    dcg, ideal = (
        sum(g / math.log2(i + 1) for i, g in enumerate(grades, 1)) for grades in (given, sorted(given, reverse=True))
    )
    return {"dcg": dcg, "ideal": ideal, "ndcg": dcg / ideal}


def recall_at_k(found: int, relevant: int, k: int) -> Steps:
    """Return precision and recall among the first k results, shares [manning2008ir]."""
    return {"precision": found / k, "recall": found / relevant}


def bm25(documents: int, containing: int, frequency: int, length: float, average: float) -> Steps:
    """Return idf, frequency part and BM25 of a term, k1 1.2 and b 0.75, Lucene's idf [robertson2009bm25]."""
    idf = math.log(1 + (documents - containing + 0.5) / (containing + 0.5))
    weight = frequency * 2.2 / (frequency + 1.2 * (0.25 + 0.75 * length / average))
    return {"idf": idf, "weight": weight, "score": idf * weight}


def cosine(a1: float, a2: float, a3: float, b1: float, b2: float, b3: float) -> Steps:
    """Return dot product, product of the norms and cosine of two vectors [manning2008ir]."""
    dot = a1 * b1 + a2 * b2 + a3 * b3
    norms = math.hypot(a1, a2, a3) * math.hypot(b1, b2, b3)
    return {"dot": dot, "norms": norms, "cosine": dot / norms}


def rope(pair: int, dimension: int, base: float, position: int) -> Steps:
    """Return radians per token, wavelength in tokens and angle of a RoPE pair, counted from 0 [su2021roformer]."""
    theta = base ** (-2 * pair / dimension)
    return {"theta": theta, "wavelength": 2 * math.pi / theta, "angle": position * theta}


def calibration_error(
    n1: int, said1: float, right1: float, n2: int, said2: float, right2: float, n3: int, said3: float, right3: float
) -> Steps:
    """Return the largest gap of three bins and the expected calibration error, shares [guo2017calibration]."""
    gaps = (abs(said1 - right1), abs(said2 - right2), abs(said3 - right3))
    total = n1 + n2 + n3
    return {"largest": max(gaps), "ece": (n1 * gaps[0] + n2 * gaps[1] + n3 * gaps[2]) / total}


def brier(yes1: float, yes2: float, no1: float, no2: float) -> Steps:
    """Return log loss in nats and Brier score of forecasts, two of which came true [brier1950verification]."""
    loss = -sum(map(math.log, (yes1, yes2, 1 - no1, 1 - no2))) / 4
    return {"loss": loss, "brier": ((1 - yes1) ** 2 + (1 - yes2) ** 2 + no1**2 + no2**2) / 4}


FORMULAS: dict[str, Callable[..., dict[str, float]]] = {
    formula.__name__: formula
    for formula in (
        perplexity, perplexity_of_loss, bits_per_byte, entropy, softmax_cross_entropy, softmax_temperature, nucleus,
        min_p, repetition_penalty, clipped_unigrams, bleu, rouge_l, word_error_rate, f1_of_table, macro_micro_f1, auc,
        matthews, kappa, span_f1, pass_at_k, accuracy_interval, mcnemar, elo, elo_gap, dpo_loss, grpo_advantage,
        kl_divergence, speculative_decoding, majority_of_three, reciprocal_rank_fusion, mean_reciprocal_rank, ndcg,
        recall_at_k, bm25, cosine, rope, calibration_error, brier,
    )
}  # fmt: skip

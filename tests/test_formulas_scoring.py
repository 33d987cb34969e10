"""The formulas of scoring cards against figures that were published, or worked by hand where none was found."""

import math

import pytest

from interviewer.computed.scoring import FORMULAS

THIRD = 1 / 3
# Formula, its arguments, the step, the figure as published, relative tolerance, where.
PUBLISHED = [
    ("perplexity", (0.1, 0.1, 0.1, 0.1), "perplexity", 10, 1e-6, "Jurafsky & Martin, SLP 3rd ed. ch. 3, digits with equal chances"),
    ("perplexity_of_loss", (2.990234375,), "perplexity", 19.89034, 1e-5, "model card Graphcore/gpt2-wikitext-103, eval_results.json"),
    ("perplexity_of_loss", (math.log(1.6547),), "bits", 0.7266, 1e-3, "model card casperhansen/aquila-2-7b-chat-awq, byte_perplexity and bits_per_byte"),
    ("bits_per_byte", (math.log(1.6547), 1, 1), "bits_per_byte", 0.7266, 1e-3, "model card casperhansen/aquila-2-7b-chat-awq, WikiText"),
    ("entropy", (0.5, 0.25, 0.125), "bits", 1.75, 1e-6, "Cover & Thomas, Elements of Information Theory, example 2.1.2"),
    ("softmax_cross_entropy", (0.28, -2.85, 0.86), "probability", 0.353, 3e-3, "CS231n notes, linear classification, figure on SVM and softmax"),
    ("softmax_cross_entropy", (0.28, -2.85, 0.86), "loss", 1.04, 3e-3, "CS231n notes, linear classification, figure on SVM and softmax"),
    ("softmax_temperature", (1, -2, 0, 2), "before", 0.7, 0.01, "CS231n notes, linear classification, [1, -2, 0]"),
    ("softmax_temperature", (1, -2, 0, 2), "after", 0.55, 0.01, "CS231n notes, linear classification, [0.5, -1, 0]"),
    ("nucleus", (0.4, 0.3, 0.2, 0.1, 0.7), "kept", 2, 1e-9, "llama.cpp, tests/test-sampling.cpp, test_top_p"),
    ("nucleus", (0.4, 0.3, 0.2, 0.1, 0.7), "first", 0.571429, 1e-5, "llama.cpp, tests/test-sampling.cpp, test_top_p"),
    ("nucleus", (0.4, 0.3, 0.2, 0.1, 0.8), "first", 0.44444, 1e-4, "llama.cpp, tests/test-sampling.cpp, test_top_p"),
    ("min_p", (0.4, 0.3, 0.2, 0.1, 0.26), "first", 0.4 / 0.9, 1e-6, "llama.cpp, tests/test-sampling.cpp, test_min_p"),
    ("min_p", (0.4, 0.3, 0.2, 0.1, 0.74), "kept", 2, 1e-9, "llama.cpp, tests/test-sampling.cpp, test_min_p"),
    ("repetition_penalty", (0.4, 0, 2), "new", 0.2, 1e-6, "transformers, tests/generation/test_logits_process.py, 4 / vocab_size"),
    ("repetition_penalty", (-0.1, 0, 2), "new", -0.2, 1e-6, "transformers, tests/generation/test_logits_process.py, -1 / vocab_size"),
    ("clipped_unigrams", (7, 2, 0, 7, 7), "plain", 7 / 7, 1e-6, "Papineni et al. 2002, section 2.1, example 2"),
    ("clipped_unigrams", (7, 2, 0, 7, 7), "clipped", 2 / 7, 1e-6, "Papineni et al. 2002, section 2.1, example 2"),
    ("bleu", (14 / 17, 7 / 14, 5 / 11, 3 / 8, 17, 18), "brevity", 0.943, 1e-3, "sacreBLEU 2.0, README, section on the Python API"),
    ("bleu", (0.824, 0.5, 0.455, 0.375, 17, 18), "bleu", 0.4853, 1e-3, "sacreBLEU 2.0, README, section on the Python API"),
    ("rouge_l", (3, 4, 4), "f", 0.75, 1e-6, "Lin 2004, section 3.1, S1 and S2"),
    ("rouge_l", (2, 4, 4), "f", 0.5, 1e-6, "Lin 2004, section 3.1, S1 and S3"),
    ("word_error_rate", (3, 0, 1, 8), "rate", 0.5, 1e-6, "Hugging Face evaluate, metric card wer, and torchmetrics, WordErrorRate"),
    ("f1_of_table", (1, 0, 1, 2), "precision", 1, 1e-6, "scikit-learn, user guide, binary classification"),
    ("f1_of_table", (1, 0, 1, 2), "recall", 0.5, 1e-6, "scikit-learn, user guide, binary classification"),
    ("f1_of_table", (1, 0, 1, 2), "f1", 0.66, 0.02, "scikit-learn, user guide, binary classification"),
    ("macro_micro_f1", (2, 0, 0, 1, 0, 1, 0, 2, 0), "macro", 0.26, 0.03, "scikit-learn, f1_score, example"),
    ("macro_micro_f1", (2, 0, 0, 1, 0, 1, 0, 2, 0), "micro", 0.33, 0.02, "scikit-learn, f1_score, example"),
    # Two negatives of the example count twice here, which leaves the share of pairs won as it is.
    ("auc", (0.35, 0.8, 0.1, 0.1, 0.4, 0.4), "auc", 0.75, 1e-6, "scikit-learn, roc_auc_score and user guide, example"),
    ("matthews", (2, 1, 1, 0), "mcc", -0.33, 0.02, "scikit-learn, matthews_corrcoef, example"),
    ("kappa", (300, 20, 10, 70), "observed", 0.925, 1e-6, "Manning et al. 2008, Introduction to Information Retrieval, table 8.2"),
    ("kappa", (300, 20, 10, 70), "expected", 0.665, 1e-3, "Manning et al. 2008, Introduction to Information Retrieval, table 8.2"),
    ("kappa", (300, 20, 10, 70), "kappa", 0.776, 1e-3, "Manning et al. 2008, Introduction to Information Retrieval, table 8.2"),
    ("span_f1", (1, 1, 1, 2, 0, 3), "exact_match", 0.6666667, 1e-6, "Hugging Face evaluate, metric card squad, partial match"),
    ("span_f1", (1, 1, 1, 2, 0, 3), "f1", 0.6666667, 1e-6, "Hugging Face evaluate, metric card squad, partial match"),
    # By hand: 2 of 4 and 2 tokens in common is 4 / 6; one exact of four, two such: (1 + 2 × 2/3) / 4.
    ("span_f1", (2, 4, 2, 1, 2, 4), "f1", 7 / 12, 1e-9, "by hand"),
    ("pass_at_k", (2, 1, 1), "pass_at_k", 0.5, 1e-6, "Hugging Face evaluate, metric card code_eval"),
    ("pass_at_k", (2, 1, 2), "pass_at_k", 1, 1e-6, "Hugging Face evaluate, metric card code_eval"),
    # By hand: C(7, 2) / C(10, 2) = 21 / 45.
    ("pass_at_k", (10, 3, 2), "failing", 21 / 45, 1e-9, "by hand"),
    ("accuracy_interval", (146, 164), "accuracy", 0.89, 1e-3, "Amazon Nova technical report, table 7, HumanEval, Nova Pro"),
    ("accuracy_interval", (146, 164), "half", 0.048, 5e-3, "Amazon Nova technical report, table 7, HumanEval, Nova Pro"),
    ("accuracy_interval", (140, 164), "half", 0.054, 5e-3, "Amazon Nova technical report, table 7, HumanEval, Nova Lite"),
    ("mcnemar", (150, 86, 1600), "statistic", 17.3559, 1e-4, "R, mcnemar.test without correction on the approval ratings of Agresti 1990"),
    ("elo", (1700, 1600, 32), "expected", 0.64, 3e-3, "table of expected win rates, webdocs.cs.ualberta.ca/~hayward/670gga/jem/elo.html"),
    ("elo", (1800, 1600, 32), "expected", 0.76, 3e-3, "table of expected win rates, webdocs.cs.ualberta.ca/~hayward/670gga/jem/elo.html"),
    ("elo", (1600, 2000, 32), "gain", 32 * 0.91, 3e-3, "the same table, 400 points, by a player with K 32"),
    ("elo_gap", (6, 4), "gap", 70.4, 1e-3, "webdocs.cs.ualberta.ca/~hayward/670gga/jem/elo.html, example"),
    ("dpo_loss", (1, -1.4532, 0, -2.1723, 0), "margin", 0.7191, 1e-4, "model card wzhouad/zephyr-7b-dpo-full, rewards and margin"),
    # By hand: equal ratios leave a coin flip, ln 2; the loss of a mean margin is not the mean loss of a model card.
    ("dpo_loss", (0.1, -40, -40, -50, -50), "loss", math.log(2), 1e-9, "by hand"),
    ("grpo_advantage", (8, 4), "mean", 0.5, 1e-9, "Hugging Face LLM course, chapter 12, section 3b, step 2"),
    ("grpo_advantage", (8, 4), "deviation", 0.53, 0.01, "Hugging Face LLM course, chapter 12, section 3b, step 2"),
    ("grpo_advantage", (8, 4), "advantage", 0.94, 0.01, "Hugging Face LLM course, chapter 12, section 3b, step 2"),
    ("kl_divergence", (0.36, 0.48, THIRD, THIRD), "forward", 0.0852996, 1e-5, "Kullback 1959, example 2.1, as worked in Wikipedia"),
    ("kl_divergence", (0.36, 0.48, THIRD, THIRD), "reverse", 0.097455, 1e-5, "Kullback 1959, example 2.1, as worked in Wikipedia"),
    ("speculative_decoding", (0.6, 2, 0), "speedup", 1.96, 1e-3, "Leviathan et al. 2022, table 1"),
    ("speculative_decoding", (0.7, 3, 0), "tokens", 2.53, 2e-3, "Leviathan et al. 2022, table 1"),
    ("speculative_decoding", (0.8, 5, 0), "speedup", 3.69, 1e-3, "Leviathan et al. 2022, table 1"),
    ("speculative_decoding", (0.9, 10, 0), "speedup", 6.86, 1e-3, "Leviathan et al. 2022, table 1"),
    # By hand: 0.216 + 3 × 0.36 × 0.4; no published figure found.
    ("majority_of_three", (0.6,), "majority", 0.648, 1e-9, "by hand"),
    ("reciprocal_rank_fusion", (1, 2, 2, 3, 1), "first", 0.8333334, 1e-6, "Elasticsearch 8.8 reference, reciprocal rank fusion, full example"),
    ("reciprocal_rank_fusion", (1, 2, 2, 3, 1), "second", 0.5833334, 1e-6, "Elasticsearch 8.8 reference, reciprocal rank fusion, full example"),
    ("mean_reciprocal_rank", (3, 2, 1, 0), "mrr", 0.61, 3e-3, "Wikipedia, Mean reciprocal rank, example: 11/18"),
    ("ndcg", (5, 1, 0, 0, 10), "dcg", 9.49, 2e-3, "scikit-learn, dcg_score, example"),
    ("ndcg", (5, 1, 0, 0, 10), "ndcg", 0.69, 0.01, "scikit-learn, ndcg_score, example"),
    ("recall_at_k", (1, 2, 2), "recall", 0.5, 1e-9, "torchmetrics, functional retrieval_recall, example"),
    ("recall_at_k", (1, 2, 2), "precision", 0.5, 1e-9, "torchmetrics, functional retrieval_precision, example"),
    ("bm25", (5, 1, 1, 3, 5.4), "idf", 1.3862944, 1e-6, "Elasticsearch 6.4 reference, Explain API"),
    ("bm25", (5, 1, 1, 3, 5.4), "weight", 1.2222223, 1e-6, "Elasticsearch 6.4 reference, Explain API"),
    ("bm25", (5, 1, 1, 3, 5.4), "score", 1.6943599, 1e-6, "Elasticsearch 6.4 reference, Explain API"),
    ("cosine", (115, 10, 2, 58, 7, 0), "cosine", 0.999, 1e-3, "Manning et al. 2008, figure 6.13 and example 6.4"),
    ("cosine", (115, 10, 2, 20, 11, 6), "cosine", 0.888, 2e-3, "Manning et al. 2008, figure 6.13 and example 6.4, from rounded weights"),
    ("rope", (0, 128, 10_000, 1), "wavelength", 2 * math.pi, 1e-9, "Vaswani et al. 2017, section 3.5: wavelengths from 2π"),
    # By hand: pair 32 of 128 turns by 10,000^(-1/2) = 0.01 a token.
    ("rope", (32, 128, 10_000, 250), "angle", 2.5, 1e-9, "by hand"),
    ("calibration_error", (2, 0.25, 0, 1, 0.55, 1, 2, 0.75, 1), "ece", 0.29, 1e-6, "torchmetrics, BinaryCalibrationError, example, its upper bin in two"),
    ("calibration_error", (2, 0.25, 0, 3, 2.05 / 3, 1, 0, 0, 0), "largest", 0.3167, 1e-3, "torchmetrics, BinaryCalibrationError, example, norm max"),
    ("brier", (0.9, 0.8, 0.1, 0.3), "brier", 0.0375, 1e-6, "scikit-learn, brier_score_loss, example"),
    ("brier", (0.9, 0.65, 0.1, 0.2), "loss", 0.21616, 1e-4, "scikit-learn, user guide, log loss, example"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "arguments", "step", "figure", "tolerance", "where"), PUBLISHED)
def test_formula_gives_the_published_figure(
    formula: str, arguments: tuple[float, ...], step: str, figure: float, tolerance: float, where: str
) -> None:
    assert FORMULAS[formula](*arguments)[step] == pytest.approx(figure, rel=tolerance), where


def test_every_formula_is_compared_with_a_figure() -> None:
    assert {row[0] for row in PUBLISHED} == set(FORMULAS)

"""Whoever repeats a wrong claim of the first digest gets that point wrong; whoever rejects it does not."""

import pytest

from interviewer.grading.grade import task_of
from interviewer.grading.offline import OfflineJudge
from interviewer.language import Lang
from interviewer.library import Library

MADE: tuple[tuple[str, str, Lang, str], ...] = (
    ("rope-extrapolation", "breaks-down", "zh", "RoPE 的优点是外推性好，训练短推理长也没问题。"),
    ("rope-extrapolation", "breaks-down", "zh", "跟相对位置编码比，RoPE 具有更好的外推能力。"),
    ("rope-extrapolation", "breaks-down", "en", "RoPE extrapolates well on its own, so 16k is fine."),
    ("rope-extrapolation", "breaks-down", "en", "Yes it's fine, because rotary generalises to longer inputs than it was trained on."),
    ("rope-extrapolation", "breaks-down", "en", "RoPE has great extrapolation by itself, you can simply run it at 16k."),
    ("soft-prompts-prompt-tuning", "input-embeddings", "zh", "prompt tuning 用的是静态的虚拟 token，初始化之后就固定不变了。"),
    ("soft-prompts-prompt-tuning", "input-embeddings", "en", "The virtual tokens are static, they stay fixed after initialisation."),
    ("soft-prompts-encoder", "input-independent", "zh", "P-tuning 用 LSTM 根据不同的输入动态生成不同的提示向量。"),
    ("soft-prompts-encoder", "input-independent", "en", "The LSTM generates different embeddings for each input, so the prompt adapts to the input."),
    ("peft-lora-update", "product-added", "zh", "LoRA 就是把原来的大矩阵换成两个小矩阵相乘。"),
    ("peft-lora-update", "product-added", "en", "LoRA replaces the weight matrix with two low-rank matrices."),
    ("text-metrics-choose", "extractive-em-f1", "zh", "问答任务一般用 BLEU、ROUGE 来评估。"),
    ("text-metrics-choose", "extractive-em-f1", "zh", "对的，面经说得对，问答就用 BLEU 和 ROUGE。"),
    ("text-metrics-choose", "extractive-em-f1", "en", "For question answering I'd use BLEU and ROUGE, the list is right."),
    ("decoder-only-lowrank", "conjecture-not-reason", "zh", "因为双向注意力存在低秩问题，表达能力被削弱，这是已经证明的原因。"),
    ("decoder-only-lowrank", "conjecture-not-reason", "en", "It's proven that bidirectional attention is low-rank, and that's why everyone uses decoder-only."),
    ("repetition-temperature", "decoding-only", "zh", "调高温度也是增加数据多样性的一种办法。"),
    ("forgetting-lora-rank", "higher-rank-more", "zh", "要减轻遗忘就把 LoRA 的 rank 调大。"),
    ("bert-cls-why", "no-automatic-blend", "zh", "因为 [CLS] 本身没有语义，所以能更公平地融合所有词的语义，天然就代表整句话。"),
)  # fmt: skip
REJECTED: tuple[tuple[str, str, Lang, str], ...] = (
    ("rope-extrapolation", "breaks-down", "zh", "很多人说 RoPE 外推性好，其实不对，超过训练长度困惑度就飙升。"),
    ("rope-extrapolation", "breaks-down", "en", "It's a common claim that RoPE extrapolates well. That's wrong, it breaks down right after the training length."),
    ("soft-prompts-encoder", "input-independent", "en", "People often say the LSTM produces a different prompt for each input, but it never sees the input."),
    ("soft-prompts-encoder", "input-independent", "zh", "有人以为 LSTM 会根据输入生成不同的提示，这个说法是错的，它根本看不到输入。"),
    ("peft-lora-update", "product-added", "en", "LoRA doesn't replace the weight matrix, it adds BA to the frozen W0."),
    ("peft-lora-update", "product-added", "zh", "LoRA 不是把权重替换成两个小矩阵，而是在冻结的 W0 上加 BA。"),
    ("text-metrics-choose", "extractive-em-f1", "en", "BLEU is not the metric for question answering, extractive QA uses exact match and token F1."),
    ("text-metrics-choose", "extractive-em-f1", "zh", "BLEU 并不适合问答，抽取式问答要用 EM 和 token F1。"),
    ("decoder-only-lowrank", "conjecture-not-reason", "zh", "有人说双向注意力低秩是原因，但这只是猜想，没有定论。"),
)  # fmt: skip


def verdicts(library: Library, card: str, lang: Lang, answer: str) -> dict[str, str]:
    task = task_of(library.cards[card], answer, lang=lang)
    return {point.id: point.verdict for point in OfflineJudge(library.glossary).verdicts(task)}


@pytest.mark.parametrize(("card", "point", "lang", "answer"), MADE)
def test_repeated_wrong_claim_is_contradicted(library: Library, card: str, point: str, lang: Lang, answer: str) -> None:
    found = verdicts(library, card, lang, answer)
    assert "contradicted" in found.values()
    assert "covered" not in found.values()
    assert found[point] == "contradicted"


@pytest.mark.parametrize(("card", "point", "lang", "answer"), REJECTED)
def test_rejected_wrong_claim_is_not_held_against_the_candidate(
    library: Library, card: str, point: str, lang: Lang, answer: str
) -> None:
    assert verdicts(library, card, lang, answer)[point] != "contradicted"

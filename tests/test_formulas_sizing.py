"""The sizing formulas give the figures that papers and documentation publish."""

from typing import Any

import pytest

from interviewer.computed.sizing import FORMULAS

GIB = 2**30
EXACT = 1e-9
LLAMA3_8B = {"layers": 32, "width": 4096, "heads": 32, "kv_heads": 8, "head_dim": 128, "inner": 14336, "vocab": 128256}
QWEN3_8B = {"layers": 36, "width": 4096, "heads": 32, "kv_heads": 8, "head_dim": 128, "inner": 12288, "vocab": 151936}
MIXTRAL = {"layers": 32, "width": 4096, "inner": 14336, "experts": 8, "active": 2, "shared": 1.605e9}
QWEN3_30B = {"layers": 48, "width": 2048, "inner": 768, "experts": 128, "active": 8, "shared": 1.541e9}
PALM = {"layers": 118, "width": 48 * 256, "tokens": 2048, "params": 540.35e9}
GPT3_RUN = {"params": 175e9, "tokens": 300e9, "each": 8, "gpus": 1024, "peak": 312e12, "mfu": 140 / 312}
SESSION = {"prompt": 50_000, "cached": 40_000, "output": 15_000, "price": 5, "discount": 0.1, "output_price": 25}
INTERNVL = {"side": 448, "patch": 14, "merge": 2}

CASES: list[tuple[str, dict[str, Any], str, float, float, str]] = [
    ("gpt_blocks", {"layers": 32, "width": 4096}, "blocks", 6_444_163_072, 1e-3, "Pythia 6.9B model card, non-embedding"),
    ("gpt_blocks", {"layers": 36, "width": 5120}, "blocks", 11_327_027_200, 1e-3, "Pythia 12B model card, non-embedding"),
    ("gpt_model", {"layers": 96, "width": 12288, "vocab": 50257, "positions": 2048}, "total", 174.6e9, 1e-3, "GPT-3, table D.1: 174,600 million"),
    ("gpt_model", {"layers": 12, "width": 768, "vocab": 50257, "positions": 1024}, "total", 124e6, 5e-3, "GPT-2 124M, github.com/openai/gpt-2, README"),
    # Shazeer compares 2048 hidden units in the GLU variants with 3072 in the plain FFN: a factor of 2/3.
    ("swiglu_ffn", {"layers": 12, "width": 768, "inner": 2048}, "plain_inner", 3072, EXACT, "Shazeer 2020, section 3.1"),
    # What a second expert adds: (46.7 - 12.9) billion over the six experts that a token does not use.
    ("swiglu_ffn", {"layers": 32, "width": 4096, "inner": 14336}, "total", (46.7e9 - 12.9e9) / 6, 0.01, "Mistral, Mixtral of experts: 46.7B total, 12.9B used"),
    # Nobody publishes attention alone; by hand 2 × 4096 × 4096 + 2 × 4096 × 1024 = 33,554,432 + 8,388,608. The models below use the same sum.
    ("grouped_attention", {"width": 4096, "heads": 32, "kv_heads": 8, "head_dim": 128}, "total", 41_943_040, EXACT, "by hand, Llama 3 8B"),
    ("grouped_attention", {"width": 4096, "heads": 32, "kv_heads": 8, "head_dim": 128}, "saved", 0.375, EXACT, "by hand, Llama 3 8B: 10/16 of MHA"),
    ("llama_model", LLAMA3_8B, "total", 8.03e9, 1e-3, "Llama 3.1 8B model page, 8.03B params"),
    ("llama_model", QWEN3_8B, "body", 6.95e9, 2e-3, "Qwen3-8B model card: 6.95B non-embedding"),
    ("llama_model", QWEN3_8B, "total", 8.2e9, 5e-3, "Qwen3-8B model card: 8.2B"),
    ("embeddings", {"vocab": 256128, "width": 2048, "body": 1_981_884_416}, "table", 524_550_144, EXACT, "Gemma, table 2 (2B)"),
    ("embeddings", {"vocab": 256128, "width": 3072, "body": 7_751_248_896}, "table", 786_825_216, EXACT, "Gemma, table 2 (7B)"),
    ("embeddings", {"vocab": 256128, "width": 2048, "body": 1_981_884_416}, "tied", 524_550_144 / 2_506_434_560, EXACT, "Gemma, table 2 (2B, tied)"),
    ("embeddings", {"vocab": 151936, "width": 4096, "body": 6.95e9}, "untied", 1 - 6.95 / 8.2, 0.01, "Qwen3-8B model card: 8.2B, of them 6.95B non-embedding"),
    ("lora_attention", {"rank": 1, "layers": 96, "width": 12288, "kv_width": 12288}, "total", 4.7e6, 5e-3, "LoRA, table 4 (GPT-3, 4.7M)"),
    ("lora_attention", {"rank": 8, "layers": 96, "width": 12288, "kv_width": 12288}, "total", 37.7e6, 2e-3, "LoRA, table 4 (GPT-3, 37.7M)"),
    ("lora_all", {"rank": 16, "layers": 32, "width": 4096, "kv_width": 1024, "inner": 14336}, "total", 41_943_040, EXACT, "Unsloth, log of the Llama 3 8B notebook"),
    ("lora_all", {"rank": 64, "layers": 32, "width": 4096, "kv_width": 4096, "inner": 11008}, "total", 159_907_840, EXACT, "PEFT, print_trainable_parameters of Llama 2 7B with r = 64"),
    ("moe_size", MIXTRAL, "total", 46.7e9, 2e-3, "Mistral, Mixtral of experts"),
    ("moe_size", MIXTRAL, "used", 12.9e9, 3e-3, "Mistral, Mixtral of experts"),
    ("moe_size", QWEN3_30B, "total", 30.5e9, 2e-3, "Qwen3-30B-A3B model card"),
    ("moe_size", QWEN3_30B, "used", 3.3e9, 0.02, "Qwen3-30B-A3B model card"),
    ("expert_capacity", {"tokens": 6, "experts": 3, "active": 1, "factor": 1.0, "load": 1.5}, "capacity", 2, EXACT, "Switch Transformers, figure 3"),
    ("expert_capacity", {"tokens": 4, "experts": 8, "active": 2, "factor": 2.0, "load": 1.0}, "capacity", 2, EXACT, "MaxText, moe_test: (4 * 2 / 8) * 2"),
    # By hand: an even share of 1024 of which half again is dropped.
    ("expert_capacity", {"tokens": 4096, "experts": 8, "active": 2, "factor": 1.5, "load": 2.0}, "dropped", 512, EXACT, "by hand"),
    ("weight_memory", {"params": 405e9, "bits": 4}, "half", 810e9, EXACT, "Hugging Face blog, Llama 3.1: 810 GB in FP16"),
    ("weight_memory", {"params": 405e9, "bits": 4}, "low", 203e9, 5e-3, "Hugging Face blog, Llama 3.1: 203 GB in INT4"),
    ("quantised_size", {"params": 7e9, "bits": 4, "scale_bits": 16, "zero_bits": 0, "group": 32}, "per_weight", 4.5, EXACT, "llama.cpp, Q4_0: 4.5 bits a weight"),
    ("quantised_size", {"params": 7e9, "bits": 8, "scale_bits": 16, "zero_bits": 0, "group": 32}, "per_weight", 8.5, EXACT, "llama.cpp, Q8_0: 8.5 bits a weight"),
    ("quantised_size", {"params": 7e9, "bits": 4, "scale_bits": 16, "zero_bits": 4, "group": 128}, "extra", 0.15, 0.05, "GPTQ, section 4: about 0.15 extra bits"),
    ("quantised_size", {"params": 7e9, "bits": 2, "scale_bits": 16, "zero_bits": 2, "group": 128}, "per_weight", 2.2, 0.03, "GPTQ, section 4: about 2.2 bits"),
    ("double_quantisation", {"params": 65e9, "block": 64, "second": 256}, "before", 0.5, EXACT, "QLoRA, section 3"),
    ("double_quantisation", {"params": 65e9, "block": 64, "second": 256}, "after", 0.127, 1e-3, "QLoRA, section 3"),
    ("double_quantisation", {"params": 65e9, "block": 64, "second": 256}, "saved", 3e9, 0.02, "QLoRA, section 1: about 3 GB for 65B"),
    ("kv_cache", {"layers": 40, "kv_heads": 40, "head_dim": 128, "bytes_each": 2, "tokens": 2048}, "per_token", 800 * 1024, EXACT, "PagedAttention, section 3: OPT-13B, 800 KB"),
    ("kv_cache", {"layers": 40, "kv_heads": 40, "head_dim": 128, "bytes_each": 2, "tokens": 2048}, "total", 1.6 * GIB, 0.03, "PagedAttention, section 3: 1.6 GB"),
    ("kv_cache", {"layers": 126, "kv_heads": 8, "head_dim": 128, "bytes_each": 2, "tokens": 1}, "per_token", 516_096, EXACT, "Zhao et al. 2025, table 1: Llama 3.1 405B"),
    ("mla_cache", {"layers": 61, "heads": 128, "head_dim": 128, "latent": 512, "rope_dim": 64, "bytes_each": 2}, "mla", 70_272, EXACT, "Zhao et al. 2025, table 1: DeepSeek-V3"),
    # As large as GQA with 2.25 groups: one KV head of 128 is 1/2.25 of it.
    ("mla_cache", {"layers": 60, "heads": 1, "head_dim": 128, "latent": 512, "rope_dim": 64, "bytes_each": 2}, "ratio", 1 / 2.25, EXACT, "DeepSeek-V2, table 1"),
    ("sequences_fit", {"memory": 40 * GIB, "share": 0.95, "params": 13 * GIB, "bytes_each": 2, "per_token": 819_200, "tokens": 1}, "sequences", 15_700, 5e-3, "PagedAttention, table 1: 15.7K slots"),
    ("sequences_fit", {"memory": 24e9, "share": 1.0, "params": 7e9, "bytes_each": 2, "per_token": 524_288, "tokens": 4096}, "sequences", 4, EXACT, "Baseten, A guide to LLM inference and performance"),
    ("adam_memory", {"params": 1.5e9, "memory": 32e9}, "total", 24e9, EXACT, "ZeRO, section 3.1: GPT-2 takes 24 GB"),
    ("adam_memory", {"params": 7e9, "memory": 80e9}, "gpus", 2, EXACT, "by hand: 112 GB"),
    ("zero_stages", {"params": 7.5e9, "gpus": 64}, "one", 31.4e9, 1e-3, "ZeRO, figure 1"),
    ("zero_stages", {"params": 7.5e9, "gpus": 64}, "two", 16.6e9, 3e-3, "ZeRO, figure 1"),
    ("zero_stages", {"params": 7.5e9, "gpus": 64}, "three", 1.9e9, 0.02, "ZeRO, figure 1"),
    ("lora_memory", {"params": 175e9, "adapter": 18.9e6}, "frozen", 350e9, 1e-3, "LoRA, section 4.2: 350 GB"),
    # By hand: 140 GB frozen and 16 × 0.2 GB.
    ("lora_memory", {"params": 70e9, "adapter": 200e6}, "total", 143.2e9, EXACT, "by hand"),
    ("activations", {"tokens": 2048, "batch": 1, "width": 12288, "heads": 96}, "share", 0.70, 5e-3, "Korthikanti et al. 2022, section 5: GPT-3"),
    ("activations", {"tokens": 2048, "batch": 1, "width": 20480, "heads": 128}, "share", 0.65, 8e-3, "Korthikanti et al. 2022, section 5: MT-NLG"),
    ("vector_index", {"vectors": 1_000_000, "dims": 256, "links": 16}, "total", 1.267e9, 1e-3, "OpenSearch documentation, HNSW memory estimation"),
    ("training_flops", {"params": 174.6e9, "tokens": 300e9}, "total", 3.14e23, 2e-3, "GPT-3, table D.1"),
    ("training_flops", {"params": 405e9, "tokens": 15.6e12}, "total", 3.8e25, 5e-3, "Llama 3, section 3.2.1"),
    ("training_time", GPT3_RUN, "seconds", 34 * 86400, 5e-3, "Narayanan et al. 2021, section 5.1"),
    ("training_time", GPT3_RUN | {"params": 1e12, "tokens": 450e9, "gpus": 3072, "mfu": 163 / 312}, "seconds", 84 * 86400, 0.01, "Narayanan et al. 2021, section 5.1"),
    ("training_cost", {"gpus": 2048, "days": 3.7, "price": 2}, "hours", 180e3, 0.015, "DeepSeek-V3, section 1: a trillion tokens"),
    ("training_cost", {"gpus": 2048, "days": 2.788e6 / 2048 / 24, "price": 2}, "cost", 5.576e6, EXACT, "DeepSeek-V3, table 1"),
    ("utilisation", {"params": 540.35e9, "per_second": 238.3e3 / 6144, "peak": 275e12}, "mfu", 0.457, 2e-3, "PaLM, section 4.1: 45.7 % without self-attention"),
    ("chinchilla", {"compute": 5.76e23}, "params", 70e9, 0.015, "Chinchilla, section 4: 70B at the budget of Gopher"),
    ("chinchilla", {"compute": 5.76e23}, "tokens", 1.4e12, 0.015, "Chinchilla, section 4: 1.4T tokens"),
    # 46.2 % with self-attention at the same tokens a second.
    ("attention_share", PALM, "total", 0.462 * 6144 * 275e12 / 238.3e3, 2e-3, "PaLM, section 4.1"),
    ("attention_share", PALM, "share", 46.2 / 45.7 - 1, 0.1, "PaLM, section 4.1"),
    ("attention_crossover", {"width": 8192, "inner": 4 * 8192, "tokens": 8 * 8192}, "crossover", 8 * 8192, EXACT, "How to Scale Your Model, chapter 4: T > 8D"),
    ("attention_crossover", {"width": 4096, "inner": 14336, "tokens": 32768}, "scores", 4 * 32768 * 4096, EXACT, "by hand"),
    ("batch_tokens", {"gpus": 64, "micro": 16, "steps": 1, "length": 2048, "budget": 299_892_736_000}, "tokens", 2_097_152, EXACT, "Pythia, README: batch of 2,097,152 tokens"),
    ("batch_tokens", {"gpus": 64, "micro": 16, "steps": 1, "length": 2048, "budget": 299_892_736_000}, "updates", 143_000, EXACT, "Pythia, README: 143,000 steps"),
    ("batch_tokens", {"gpus": 8, "micro": 12, "steps": 5, "length": 1024, "budget": 300e9}, "tokens", 491_520, EXACT, "nanoGPT, log of train_gpt2.py"),
    ("pipeline_bubble", {"stages": 4, "micro": 4, "chunks": 1}, "idle", 1 - 0.571, 2e-3, "Stanford CS231n 2025, lecture 11: 57.1 % active"),
    # By hand: 7/32, halved by two chunks to 7/64, which is 7/71 of the step.
    ("pipeline_bubble", {"stages": 8, "micro": 32, "chunks": 2}, "interleaved", 7 / 71, EXACT, "by hand"),
    ("ring_all_reduce", {"params": 2_684_354_560, "bytes_each": 4, "gpus": 8, "bandwidth": 233.29e9}, "seconds", 80.545e-3, 1e-4, "nccl-tests, all_reduce_perf on 8 GPUs, log in an Oracle Japan tutorial"),
    ("ridge", {"peak": 125e12, "bandwidth": 900e9, "bytes_each": 2}, "ridge", 138.9, 1e-3, "NVIDIA, Matrix Multiplication Background: V100"),
    ("ridge", {"peak": 1.97e14, "bandwidth": 8.2e11, "bytes_each": 2}, "batch", 240, 2e-3, "How to Scale Your Model, chapter 1: TPU v5e"),
    ("matmul_intensity", {"rows": 8192, "inner": 8192, "columns": 128}, "intensity", 124.1, 1e-3, "NVIDIA, Matrix Multiplication Background"),
    ("matmul_intensity", {"rows": 8192, "inner": 8192, "columns": 8192}, "intensity", 2730, 1e-3, "NVIDIA, Matrix Multiplication Background"),
    ("decode_step", {"params": 7e9, "bytes_each": 2, "bandwidth": 600e9}, "seconds", 23e-3, 0.02, "Baseten, A guide to LLM inference and performance: A10"),
    ("decode_batch", {"params": 7e9, "bytes_each": 2, "per_token": 524_288, "tokens": 0, "batch": 1, "bandwidth": 300e9}, "seconds", 46e-3, 0.02, "Baseten, A guide to LLM inference and performance: T4"),
    # By hand: 16 GB of weights and 32 × 2048 × 131,072 B = 8.59 GB of cache at 2 TB/s.
    ("decode_batch", {"params": 8e9, "bytes_each": 2, "per_token": 131_072, "tokens": 2048, "batch": 32, "bandwidth": 2e12}, "per_second", 2602.7, 1e-4, "by hand"),
    # By hand: the same batch at 2.50 dollars an hour, 2.5 / 3600 / 2602.7 a token.
    ("token_cost", {"params": 8e9, "bytes_each": 2, "per_token": 131_072, "tokens": 2048, "batch": 32, "bandwidth": 2e12, "price": 2.5}, "cost", 0.26682, 1e-4, "by hand"),
    ("prefill_time", {"params": 7e9, "tokens": 350, "peak": 125e12, "mfu": 1.0}, "seconds", 39e-3, 0.01, "Baseten, A guide to LLM inference and performance: A10"),
    ("image_tokens", {"height": 224, "width": 224, "patch": 14, "merge": 2}, "tokens", 66 - 2, EXACT, "Qwen2-VL, section 2.1: 66 with the start and end token"),
    ("image_tokens", {"height": 336, "width": 336, "patch": 14, "merge": 1}, "tokens", 576, EXACT, "LLaVA-1.5, CLIP ViT-L/14 at 336 pixels"),
    ("tiled_tokens", INTERNVL | {"tiles": 12}, "total", 3_328, EXACT, "InternVL 1.5, section 3"),
    ("tiled_tokens", INTERNVL | {"tiles": 40}, "total", 10_496, EXACT, "InternVL 1.5, section 3"),
    ("request_cost", SESSION, "prompt_cost", 0.05 + 0.02, EXACT, "Claude API documentation, Pricing, worked example"),
    ("request_cost", SESSION, "total", 0.05 + 0.02 + 0.375, EXACT, "Claude API documentation, Pricing, worked example"),
    ("request_cost", SESSION | {"cached": 0}, "total", 0.25 + 0.375, EXACT, "Claude API documentation, Pricing, worked example"),
    ("in_flight", {"rate": 100, "first": 0.5, "output": 0, "each": 0.0, "slots": 1}, "requests", 50, EXACT, "AWS Lambda documentation, concurrency"),
    ("in_flight", {"rate": 20, "first": 60.0, "output": 0, "each": 0.0, "slots": 1}, "requests", 1200, EXACT, "AWS re:Post, Lambda concurrency limit increase"),
    # By hand: 10 requests a second of 0.5 s + 400 × 20 ms are 85, for 32 places each.
    ("in_flight", {"rate": 10, "first": 0.5, "output": 400, "each": 0.02, "slots": 32}, "replicas", 3, EXACT, "by hand"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("formula", "given", "step", "published", "tolerance", "where"),
    CASES,
    ids=[f"{formula}-{step}-{number}" for number, (formula, _, step, *_) in enumerate(CASES)],
)
def test_formula_gives_what_is_published(
    formula: str, given: dict[str, Any], step: str, published: float, tolerance: float, where: str
) -> None:
    assert FORMULAS[formula](**given)[step] == pytest.approx(published, rel=tolerance), where


def test_every_formula_is_compared_with_a_figure() -> None:
    assert {formula for formula, *_ in CASES} == set(FORMULAS)

"""How large and how long: parameters, bytes, FLOPs and seconds.

Sizes are in bytes, times in seconds, shares in 0..1, counts plain; each formula returns its steps in order, the result
last. Norms and biases are left out of parameter counts.
"""

import math
from collections.abc import Callable

# Parameters


def gpt_blocks(layers: int, width: int) -> dict[str, float]:
    """Return parameters of GPT blocks: 4d² of attention and 8d² of an FFN of inner width 4d (Kaplan et al. 2020)."""
    attention, ffn = 4 * width**2, 8 * width**2
    return {"attention": attention, "ffn": ffn, "block": attention + ffn, "blocks": layers * (attention + ffn)}


def gpt_model(layers: int, width: int, vocab: int, positions: int) -> dict[str, float]:
    """Return parameters of a GPT with learned positions and a tied output table (Brown et al. 2020)."""
    blocks, embeddings = 12 * layers * width**2, (vocab + positions) * width
    return {"blocks": blocks, "embeddings": embeddings, "total": blocks + embeddings}


def swiglu_ffn(layers: int, width: int, inner: int) -> dict[str, float]:
    """Return parameters of a SwiGLU FFN: three matrices (Shazeer 2020); and the width of a plain FFN as large."""
    ffn = 3 * width * inner
    return {"ffn": ffn, "plain_inner": ffn / (2 * width), "total": layers * ffn}


def grouped_attention(width: int, heads: int, kv_heads: int, head_dim: int) -> dict[str, float]:
    """Return parameters of grouped-query attention in a layer and the share saved against MHA (Ainslie et al. 2023)."""
    outer, inner = 2 * width * heads * head_dim, 2 * width * kv_heads * head_dim
    return {"query_output": outer, "key_value": inner, "total": outer + inner, "saved": 1 - (outer + inner) / outer / 2}


def llama_model(
    layers: int, width: int, heads: int, kv_heads: int, head_dim: int, inner: int, vocab: int
) -> dict[str, float]:
    """Return parameters of a Llama-like model: GQA, SwiGLU, an input and an output table (Llama 3, Qwen3)."""
    attention = 2 * width * head_dim * (heads + kv_heads)
    body = layers * (attention + 3 * width * inner)
    embeddings = 2 * vocab * width
    return {"attention": attention, "body": body, "embeddings": embeddings, "total": body + embeddings}


def embeddings(vocab: int, width: int, body: float) -> dict[str, float]:
    """Return parameters of an embedding table and its share of a model, tied and untied (Press and Wolf 2016)."""
    table = vocab * width
    return {"table": table, "tied": table / (body + table), "untied": 2 * table / (body + 2 * table)}


def lora_attention(rank: int, layers: int, width: int, kv_width: int) -> dict[str, float]:
    """Return LoRA parameters on the query and value projections: r(in + out) a matrix (Hu et al. 2021)."""
    query, value = rank * (width + width), rank * (width + kv_width)
    return {"query": query, "value": value, "total": layers * (query + value)}


def lora_all(rank: int, layers: int, width: int, kv_width: int, inner: int) -> dict[str, float]:
    """Return LoRA parameters on all seven matrices of a Llama-like block (Dettmers et al. 2023)."""
    attention = rank * (2 * (width + width) + 2 * (width + kv_width))
    ffn = rank * 3 * (width + inner)
    return {"attention": attention, "ffn": ffn, "total": layers * (attention + ffn)}


def moe_size(layers: int, width: int, inner: int, experts: int, active: int, shared: float) -> dict[str, float]:
    """Return total and active parameters of an MoE with SwiGLU experts in every layer (Jiang et al. 2024)."""
    expert = layers * 3 * width * inner
    return {"expert": expert, "total": shared + experts * expert, "used": shared + active * expert}


def expert_capacity(tokens: int, experts: int, active: int, factor: float, load: float) -> dict[str, float]:
    """Return token slots of an expert and tokens dropped when `load` times its share arrives (Fedus et al. 2021)."""
    even = tokens * active / experts
    return {"even": even, "capacity": factor * even, "dropped": max(0.0, load - factor) * even}


# Memory


def weight_memory(params: float, bits: int) -> dict[str, float]:
    """Return bytes of weights in 16 bits and in fewer bits, without scales."""
    return {"half": 2 * params, "low": params * bits / 8}


def quantised_size(params: float, bits: int, scale_bits: int, zero_bits: int, group: int) -> dict[str, float]:
    """Return bits a weight and bytes of weights with a scale and zero point a group (Frantar et al. 2022)."""
    extra = (scale_bits + zero_bits) / group
    return {"extra": extra, "per_weight": bits + extra, "size": params * (bits + extra) / 8}


def double_quantisation(params: float, block: int, second: int) -> dict[str, float]:
    """Return what 8-bit scales save against 32-bit ones, in bits a weight and bytes (Dettmers et al. 2023)."""
    before, after = 32 / block, 8 / block + 32 / (block * second)
    return {"before": before, "after": after, "saved": params * (before - after) / 8}


def kv_cache(layers: int, kv_heads: int, head_dim: int, bytes_each: int, tokens: int) -> dict[str, float]:
    """Return bytes of the KV cache of a sequence: a key and a value per layer, KV head and token (Kwon et al. 2023)."""
    per_token = 2 * layers * kv_heads * head_dim * bytes_each
    return {"per_token": per_token, "total": per_token * tokens}


def mla_cache(layers: int, heads: int, head_dim: int, latent: int, rope_dim: int, bytes_each: int) -> dict[str, float]:
    """Return bytes a token of MLA's cache, of MHA's, and how many times smaller the first is (DeepSeek-V2)."""
    mla = layers * (latent + rope_dim) * bytes_each
    mha = 2 * layers * heads * head_dim * bytes_each
    return {"mla": mla, "mha": mha, "ratio": mha / mla}


def sequences_fit(
    memory: float, share: float, params: float, bytes_each: int, per_token: int, tokens: int
) -> dict[str, float]:
    """Return bytes left for the KV cache and how many full sequences fit (Kwon et al. 2023, table 1)."""
    room = memory * share - params * bytes_each
    return {"weights": params * bytes_each, "room": room, "sequences": room // (per_token * tokens)}


def adam_memory(params: float, memory: float) -> dict[str, float]:
    """Return bytes of training with Adam, 2 + 2 + 12 a parameter, and the GPUs that hold them (Rajbhandari 2019)."""
    total = 16 * params
    return {"states": 12 * params, "total": total, "gpus": math.ceil(total / memory)}


def zero_stages(params: float, gpus: int) -> dict[str, float]:
    """Return bytes a GPU under ZeRO stages 1, 2 and 3 with 16 bytes a parameter (Rajbhandari et al. 2019)."""
    return {
        "one": 4 * params + 12 * params / gpus,
        "two": 2 * params + 14 * params / gpus,
        "three": 16 * params / gpus,
    }


def lora_memory(params: float, adapter: float) -> dict[str, float]:
    """Return bytes of LoRA training: frozen 16-bit weights, and 16 bytes an adapter parameter (Hu et al. 2021)."""
    return {"frozen": 2 * params, "trained": 16 * adapter, "total": 2 * params + 16 * adapter}


def activations(tokens: int, batch: int, width: int, heads: int) -> dict[str, float]:
    """Return bytes of a layer's activations, sbh(34 + 5as/h), in 16 bits (Korthikanti et al. 2022, equation 1)."""
    linear, scores = 34 * tokens * batch * width, 5 * heads * tokens**2 * batch
    return {"linear": linear, "scores": scores, "share": scores / (linear + scores), "layer": linear + scores}


def vector_index(vectors: int, dims: int, links: int) -> dict[str, float]:
    """Return bytes of an HNSW index of float32 vectors: 1.1 (4d + 8M) a vector (OpenSearch documentation)."""
    raw, graph = 4 * dims * vectors, 8 * links * vectors
    return {"raw": raw, "graph": graph, "total": 1.1 * (raw + graph)}


# Training


def training_flops(params: float, tokens: float) -> dict[str, float]:
    """Return FLOPs of training: 6 a parameter and token (Kaplan et al. 2020)."""
    return {"per_token": 6 * params, "total": 6 * params * tokens}


def training_time(params: float, tokens: float, each: int, gpus: int, peak: float, mfu: float) -> dict[str, float]:
    """Return seconds of a run at `each` FLOPs a parameter and token (Narayanan et al. 2021, equation 4)."""
    flops, rate = each * params * tokens, gpus * peak * mfu
    return {"flops": flops, "rate": rate, "seconds": flops / rate}


def training_cost(gpus: int, days: float, price: float) -> dict[str, float]:
    """Return GPU hours of a run and what they cost (DeepSeek-V3, table 1)."""
    hours = gpus * days * 24
    return {"hours": hours, "cost": hours * price}


def utilisation(params: float, per_second: float, peak: float) -> dict[str, float]:
    """Return model FLOPs utilisation from tokens a second and GPU, without attention (Chowdhery et al. 2022)."""
    useful = 6 * params * per_second
    return {"useful": useful, "mfu": useful / peak}


def chinchilla(compute: float) -> dict[str, float]:
    """Return parameters and tokens that spend a budget of FLOPs at 20 tokens a parameter (Hoffmann et al. 2022)."""
    params = math.sqrt(compute / 120)
    return {"params": params, "tokens": 20 * params}


def attention_share(layers: int, width: int, tokens: int, params: float) -> dict[str, float]:
    """Return training FLOPs a token of the weights, 6N, and of full attention, 12LdT (Chowdhery et al. 2022)."""
    weights, attention = 6 * params, 12 * layers * width * tokens
    return {"weights": weights, "attention": attention, "total": weights + attention, "share": attention / weights}


def attention_crossover(width: int, inner: int, tokens: int) -> dict[str, float]:
    """Return FLOPs of a layer for one token that attends to `tokens`, and when attention outgrows all its weights."""
    scores, ffn, projections = 4 * tokens * width, 6 * width * inner, 8 * width**2
    return {"scores": scores, "ffn": ffn, "crossover": (ffn + projections) / (4 * width)}


def batch_tokens(gpus: int, micro: int, steps: int, length: int, budget: float) -> dict[str, float]:
    """Return sequences and tokens an optimiser step with accumulation, and the steps of a token budget."""
    sequences = gpus * micro * steps
    return {"sequences": sequences, "tokens": sequences * length, "updates": budget / (sequences * length)}


def pipeline_bubble(stages: int, micro: int, chunks: int) -> dict[str, float]:
    """Return idle over ideal time, (p - 1)/m, the idle share, and that with interleaving (Narayanan et al. 2021)."""
    overhead = (stages - 1) / micro
    less = overhead / chunks
    return {"overhead": overhead, "idle": overhead / (1 + overhead), "interleaved": less / (1 + less)}


def ring_all_reduce(params: float, bytes_each: int, gpus: int, bandwidth: float) -> dict[str, float]:
    """Return bytes each GPU sends in a ring all-reduce, 2(N - 1)/N of the payload, and the seconds (nccl-tests)."""
    payload = params * bytes_each
    sent = 2 * (gpus - 1) / gpus * payload
    return {"payload": payload, "sent": sent, "seconds": sent / bandwidth}


# Inference


def ridge(peak: float, bandwidth: float, bytes_each: int) -> dict[str, float]:
    """Return FLOPs a byte at the ridge point and the decode batch that reaches it (Williams et al. 2009)."""
    return {"ridge": peak / bandwidth, "batch": peak / bandwidth * bytes_each / 2}


def matmul_intensity(rows: int, inner: int, columns: int) -> dict[str, float]:
    """Return FLOPs, bytes and FLOPs a byte of a 16-bit matrix product (NVIDIA, Matrix Multiplication Background)."""
    flops = 2 * rows * inner * columns
    moved = 2 * (rows * inner + inner * columns + rows * columns)
    return {"flops": flops, "moved": moved, "intensity": flops / moved}


def decode_step(params: float, bytes_each: float, bandwidth: float) -> dict[str, float]:
    """Return seconds of a decode step from reading the weights, and tokens a second of a sequence."""
    seconds = params * bytes_each / bandwidth
    return {"weights": params * bytes_each, "seconds": seconds, "per_second": 1 / seconds}


def decode_batch(
    params: float, bytes_each: float, per_token: int, tokens: int, batch: int, bandwidth: float
) -> dict[str, float]:
    """Return bytes and seconds of a decode step of a batch with its KV cache, and its tokens a second."""
    weights, cache = params * bytes_each, per_token * tokens * batch
    seconds = (weights + cache) / bandwidth
    return {"weights": weights, "cache": cache, "seconds": seconds, "per_second": batch / seconds}


def token_cost(
    params: float, bytes_each: float, per_token: int, tokens: int, batch: int, bandwidth: float, price: float
) -> dict[str, float]:
    """Return seconds of a decode step, tokens a second, and dollars a million tokens at a price an hour."""
    step = decode_batch(params, bytes_each, per_token, tokens, batch, bandwidth)
    cost = price / 3600 / step["per_second"] * 1e6
    return {"seconds": step["seconds"], "per_second": step["per_second"], "cost": cost}


def prefill_time(params: float, tokens: int, peak: float, mfu: float) -> dict[str, float]:
    """Return FLOPs and seconds of a prefill: 2 FLOPs a parameter and token (Pope et al. 2022)."""
    flops = 2 * params * tokens
    return {"flops": flops, "seconds": flops / (peak * mfu)}


def image_tokens(height: int, width: int, patch: int, merge: int) -> dict[str, float]:
    """Return patches of an image and tokens after merging merge × merge patches (Qwen2-VL, section 2.1)."""
    patches = height // patch * (width // patch)
    return {"patches": patches, "tokens": patches / merge**2}


def tiled_tokens(side: int, patch: int, merge: int, tiles: int) -> dict[str, float]:
    """Return tokens of a tile and of an image of tiles with a thumbnail (InternVL 1.5, section 3)."""
    each = (side // patch // merge) ** 2
    return {"each": each, "total": (tiles + 1) * each}


def request_cost(
    prompt: int, cached: int, output: int, price: float, discount: float, output_price: float
) -> dict[str, float]:
    """Return dollars of a request, prices a million tokens, and the share that the cache saves (Claude API pricing)."""
    prompt_cost = (prompt - cached + cached * discount) * price / 1e6
    output_cost = output * output_price / 1e6
    total = prompt_cost + output_cost
    return {"prompt_cost": prompt_cost, "total": total, "saved": 1 - total / (prompt * price / 1e6 + output_cost)}


def in_flight(rate: float, first: float, output: int, each: float, slots: int) -> dict[str, float]:
    """Return seconds of a request, requests in flight by Little's law and the replicas they need (Little 1961)."""
    seconds = first + output * each
    return {"seconds": seconds, "requests": rate * seconds, "replicas": math.ceil(round(rate * seconds / slots, 9))}


FORMULAS: dict[str, Callable[..., dict[str, float]]] = {
    formula.__name__: formula
    for formula in (
        gpt_blocks, gpt_model, swiglu_ffn, grouped_attention, llama_model, embeddings, lora_attention, lora_all,
        moe_size, expert_capacity, weight_memory, quantised_size, double_quantisation, kv_cache, mla_cache,
        sequences_fit, adam_memory, zero_stages, lora_memory, activations, vector_index, training_flops,
        training_time, training_cost, utilisation, chinchilla, attention_share, attention_crossover, batch_tokens,
        pipeline_bubble, ring_all_reduce, ridge, matmul_intensity, decode_step, decode_batch, token_cost, prefill_time,
        image_tokens, tiled_tokens, request_cost, in_flight,
    )
}  # fmt: skip

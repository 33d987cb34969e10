"""How large and how long: parameters, bytes, FLOPs and seconds. Sizes in bytes, times in seconds."""

from collections.abc import Callable


def kv_cache(layers: int, kv_heads: int, head_dim: int, bytes_each: int, tokens: int) -> dict[str, float]:
    """Return bytes of the KV cache of a sequence: a key and a value per layer, KV head and token."""
    per_token = 2 * layers * kv_heads * head_dim * bytes_each
    return {"per_token": per_token, "total": per_token * tokens}


FORMULAS: dict[str, Callable[..., dict[str, float]]] = {formula.__name__: formula for formula in (kv_cache,)}

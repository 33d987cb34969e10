"""What a metric or a probability comes to: numbers without a unit, or shares."""

import math
from collections.abc import Callable


def perplexity(p1: float, p2: float, p3: float, p4: float) -> dict[str, float]:
    """Return the perplexity of four tokens from the probabilities that the model gave them."""
    loss = -sum(map(math.log, (p1, p2, p3, p4))) / 4
    return {"loss": loss, "perplexity": math.exp(loss)}


FORMULAS: dict[str, Callable[..., dict[str, float]]] = {formula.__name__: formula for formula in (perplexity,)}

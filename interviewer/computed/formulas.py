"""The formulas of computed cards, by name; each returns its steps in order, the result last."""

from collections.abc import Callable

from interviewer.computed import scoring, sizing

FORMULAS: dict[str, Callable[..., dict[str, float]]] = {**sizing.FORMULAS, **scoring.FORMULAS}

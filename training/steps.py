"""What both trainings share: batches of about one length, padding, and one step of the optimiser."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

Item = TypeVar("Item")
CHECKPOINTS = Path(__file__).with_name("checkpoints")
"""Where float models are kept, unless told otherwise."""
BATCH = 32
POOL = 64 * BATCH
"""Items that are sorted by length together: enough that batches hold little padding, few enough to stay mixed."""
WIDTH = 16
"""Rows are as long as a multiple of it: oneDNN keeps a kernel for each length it has met, which fills the memory."""


def batches(
    epochs: Iterable[Sequence[Item]], *, length: Callable[[Item], int], dice: random.Random
) -> Iterator[list[Item]]:
    """Return the items of each epoch once, in batches of about one length, in random order."""
    for items in epochs:
        mixed = dice.sample(items, len(items))
        pools = [sorted(mixed[start : start + POOL], key=length) for start in range(0, len(mixed), POOL)]
        found = [pool[start : start + BATCH] for pool in pools for start in range(0, len(pool), BATCH)]
        dice.shuffle(found)
        yield from found


def padded(rows: Sequence[torch.Tensor]) -> torch.Tensor:
    """Stack rows of token ids or types, filled up with 0: the id of [PAD], and no type of an answer."""
    stacked = pad_sequence(list(rows), batch_first=True).long()
    return nn.functional.pad(stacked, (0, -stacked.shape[1] % WIDTH))


def half_precision() -> torch.autocast:
    """Compute in bfloat16 where that does no harm."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


def take_step(model: nn.Module, loss: torch.Tensor, optimiser: torch.optim.Optimizer, *, rate: float) -> None:
    """Move the weights; `rate` is the share (0 to 1) of each group's own learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.setdefault("full_lr", group["lr"])
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()

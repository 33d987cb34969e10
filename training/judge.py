"""Trains the cross-encoder of the offline judge: a point and an answer in, one of four verdicts out.

It starts from the checkpoint of `training.bilingual`, learns from labelled answers to cards of the train split and from
those cards themselves, and exports to interviewer/grading/judge. It calibrates nothing: `training/stack.py` does.
"""

import argparse
import itertools
import json
import math
import random
import re
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.metrics import cohen_kappa_score, roc_auc_score
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModel

from interviewer.cards import Bilingual, Card
from interviewer.grading.crossencoder import MODEL_FOLDER
from interviewer.labels import LABELS, Label, LabelledAnswer, read_labelled, split_of
from interviewer.language import LANGS, Lang, language_of
from interviewer.library import Library
from training.corpus import shipped_library
from training.onnx_export import export_float, quantise
from training.steps import BATCH, CHECKPOINTS, batches, half_precision, padded, take_step

ROOT = Path(__file__).resolve().parents[1]
TRIALS = ROOT / "tests" / "data" / "trials"
COVERED = LABELS.index("covered")
MAX_TOKENS = 352
"""Of point and answer together: more than any labelled answer has."""
UNMOVED = 0.4
"""Share of an edited answer's other points that are learned from: their twins in the answer as it was say the same."""
SAME_LANGUAGE = 0.7
"""How often a point is read in the language it is asked in, rather than the other one."""
DEV_POINTS = 700
WARM_UP = 60
REPORT = 250
RATE_HEADS = 1e-3
ASIDES = json.loads(Path(__file__).with_name("asides.json").read_text("utf-8"))
"""Sentences that claim nothing, by language; none of them is in what fairness is measured with."""
SENTENCE = re.compile(r"(?<=[。！？!?])|(?<=\.)\s+(?=[A-Z])")


class Example(NamedTuple):
    """A point, what was said to it, and the verdict."""

    point: Bilingual
    answer: str
    verdict: Label
    lang: Lang
    """In which the point is asked: nearly always the answer's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stretch of training."""

    minutes: float
    epochs: float
    rate: float
    """Of the encoder, at its highest."""
    altered: float = 0.0
    """Share of the answers that get asides, and some of them another order of sentences: no verdict moves."""


class Row(NamedTuple):
    """An example as the model reads it."""

    ids: torch.Tensor
    types: torch.Tensor
    """1 for the answer's tokens."""
    verdict: int


class PairModel(nn.Module):
    """Scores verdicts twice: by each token, which says where in the answer they come from, and by the pair as a whole."""

    def __init__(self, encoder: nn.Module, *, size: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.tokens = nn.Linear(size, len(LABELS))
        self.whole = nn.Linear(size, len(LABELS))
        self.dropout = nn.Dropout(0.1)
        for head in (self.tokens, self.whole):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        output = self.encoder(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        states = self.dropout(output.last_hidden_state.float())
        return self.tokens(states), self.whole(states[:, 0])


def pooled(tokens: torch.Tensor, whole: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
    """Return the logits of each pair, computed as `interviewer.grading.crossencoder` does for one."""
    of_answer = types == 1
    scores = tokens.masked_fill(~of_answer[..., None], -1e4)
    return torch.logsumexp(scores, dim=1) - 0.5 * torch.log(of_answer.sum(dim=1, keepdim=True)) + whole


def labelled(library: Library, answers: Iterable[LabelledAnswer], *, unmoved: float = 1.0) -> list[Example]:
    """Return the labelled points of answers; of edited ones only a share of the points that did not move."""
    dice = random.Random(3)
    return [
        Example(point.text, answer.answer, answer.verdicts[point.id], answer.lang)
        for answer in answers
        for point in library.cards[answer.card or ""].points
        if point.id in answer.verdicts
        and (answer.pair is None or answer.pair.point == point.id or dice.random() <= unmoved)
    ]


def said_by_cards(cards: Iterable[Card]) -> Iterator[Example]:
    """Return what the cards themselves say: points again, other points, and wrong claims."""
    dice = random.Random(1)
    for card, lang in itertools.product(cards, LANGS):
        for point in card.points:
            other = dice.choice(card.points)
            again = point.text.get(_other(lang)) if dice.random() < 0.5 else point.source.get(lang)
            yield Example(point.text, again, "covered", lang)
            if other is not point:
                yield Example(point.text, other.text.get(lang), "missed", lang)
        for wrong in card.misconceptions:
            for point_id in wrong.contradicts:
                yield Example(card.point(point_id).text, wrong.claim.get(lang), "contradicted", lang)


def training_cards(library: Library, *, part: float) -> list[Card]:
    """Return a part of the train split's cards; a smaller part lies inside a greater one."""
    cards = [card for card in library.cards.values() if split_of(card.id) == "train" and card.computed is None]
    cards.sort(key=lambda card: card.id)
    random.Random(5).shuffle(cards)
    return cards[: round(part * len(cards))]


def all_examples(library: Library, cards: Sequence[Card], answers: Sequence[LabelledAnswer]) -> list[Example]:
    """Return everything to learn from on some cards."""
    names = {card.id for card in cards}
    taught = [answer for answer in answers if answer.card in names]
    trials = [answer for answer in read_labelled(TRIALS) if answer.card in names]
    return [*labelled(library, taught, unmoved=UNMOVED), *labelled(library, trials), *said_by_cards(cards)]


def with_asides(answer: str, *, dice: random.Random) -> str:
    """Return an answer with one or two sentences that claim nothing; now and then its own in another order."""
    lang = language_of(answer) or "en"
    sentences = [piece.strip() for piece in SENTENCE.split(answer) if piece.strip()]
    if len(sentences) > 2 and dice.random() < 0.3:
        dice.shuffle(sentences)
    for _ in range(dice.choice((1, 1, 2))):
        sentences.insert(dice.choice((0, len(sentences), dice.randint(0, len(sentences)))), dice.choice(ASIDES[lang]))
    return ("" if lang == "zh" else " ").join(sentences)


def read(
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    *,
    dice: random.Random,
    same_language: float = 1.0,
    altered: float = 0.0,
) -> list[Row]:
    """Turn examples into tokens, some of the points in the other language, some of the answers altered."""
    points = [e.point.get(e.lang if dice.random() < same_language else _other(e.lang)) for e in examples]
    answers = [with_asides(e.answer, dice=dice) if dice.random() < altered else e.answer for e in examples]
    encoded = tokenizer.encode_batch(list(zip(points, answers, strict=True)))
    return [
        Row(torch.tensor(pair.ids), torch.tensor(pair.type_ids), LABELS.index(example.verdict))
        for pair, example in zip(encoded, examples, strict=True)
    ]


def _other(lang: Lang) -> Lang:
    return "zh" if lang == "en" else "en"


def logits_of(model: PairModel, rows: Sequence[Row]) -> torch.Tensor:
    """Return the four logits of each row."""
    ids, types = padded([row.ids for row in rows]), padded([row.types for row in rows])
    with half_precision():
        tokens, whole = model(ids, (ids != 0).long(), types)
    return pooled(tokens.float(), whole.float(), types)


def measure(model: PairModel, rows: Sequence[Row]) -> dict[str, float]:
    """Say how well the model agrees with the labels."""
    rows = sorted(rows, key=lambda row: len(row.ids))
    model.eval()
    with torch.no_grad():
        logits = torch.cat([logits_of(model, rows[start : start + 48]) for start in range(0, len(rows), 48)])
    model.train()
    labels = np.array([row.verdict for row in rows])
    covered, partial, _, contradicted = logits.softmax(dim=1).numpy().T
    likeliest = logits.argmax(dim=1).numpy()
    clear = np.isin(labels, [COVERED, LABELS.index("contradicted")])
    figures = {
        "kappa_covered": cohen_kappa_score(labels == COVERED, likeliest == COVERED),
        "kappa_verdict": cohen_kappa_score(labels, likeliest),
        "auc_covered": roc_auc_score(labels == COVERED, covered + 0.5 * partial),
        "auc_contradicted_or_covered": roc_auc_score(labels[clear] != COVERED, (contradicted - covered)[clear]),
        "cross_entropy": nn.functional.cross_entropy(logits, torch.from_numpy(labels)),
    }
    return {name: round(float(value), 3) for name, value in figures.items()}


def train(
    model: PairModel,
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    dev: Sequence[Row],
    *,
    stage: Stage,
) -> None:
    """Fine-tune until the epochs or the minutes are over; the rate falls towards whichever comes first."""
    # Words that no labelled answer holds could not follow the ones that move.
    model.encoder.embeddings.word_embeddings.requires_grad_(False)
    heads = [*model.tokens.parameters(), *model.whole.parameters()]
    encoder = [weight for weight in model.encoder.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": encoder, "lr": stage.rate}, {"params": heads, "lr": RATE_HEADS}], weight_decay=0.01
    )
    total = round(stage.epochs * math.ceil(len(examples) / BATCH))
    dice = random.Random(0)
    views = (
        read(tokenizer, examples, dice=dice, same_language=SAME_LANGUAGE, altered=stage.altered)
        for _ in itertools.count()
    )
    started = time.monotonic()
    model.train()
    for step, rows in enumerate(batches(views, length=lambda row: len(row.ids), dice=dice)):
        spent = (time.monotonic() - started) / 60
        done = max(step / total, spent / stage.minutes)
        if done >= 1:
            break
        labels = torch.tensor([row.verdict for row in rows])
        loss = nn.functional.cross_entropy(logits_of(model, rows), labels, label_smoothing=0.05)
        take_step(model, loss, optimiser, rate=min(1.0, step / WARM_UP) * (1 - done))
        if step % REPORT == REPORT - 1:
            print(
                f"{step + 1} of {total} steps, {spent:.1f} min, loss {loss.item():.3f}", measure(model, dev), flush=True
            )


def export(model: PairModel, target: Path) -> None:
    """Write the int8 model; its tokenizer is the encoder's."""
    target.mkdir(parents=True, exist_ok=True)
    model.encoder.set_attn_implementation("eager")
    with tempfile.TemporaryDirectory() as name:
        export_float(model, Path(name) / "float.onnx", outputs=("tokens", "whole"))
        quantise(Path(name) / "float.onnx", target / "model.int8.onnx")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.judge", description=__doc__)
    parser.add_argument("--minutes", type=float, default=40, help="most minutes of the first stage, 3 epochs at most")
    parser.add_argument("--more", type=float, default=17, help="most minutes of the second, with asides, 1.5 epochs")
    parser.add_argument("--part", type=float, default=1.0, help="share of the training cards: for a learning curve")
    parser.add_argument("--work", type=Path, default=CHECKPOINTS, help="folder of the checkpoints")
    parser.add_argument("--out", type=Path, default=MODEL_FOLDER, help="folder of the exported model")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    warnings.filterwarnings("ignore", module="torch|onnx")  # the exporter's own deprecations
    torch.manual_seed(0)
    library = shipped_library()
    cards = training_cards(library, part=args.part)
    answers = read_labelled(library.folder / "answers")
    examples = all_examples(library, cards, answers)
    unseen = labelled(library, [answer for answer in answers if split_of(answer.group) == "dev"])
    base, work = args.work / "bilingual", args.work / "judge"
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS, strategy="only_second")
    dev = read(tokenizer, random.Random(2).sample(unseen, DEV_POINTS), dice=random.Random(0))
    encoder = AutoModel.from_pretrained(base, add_pooling_layer=False)
    model = PairModel(encoder, size=encoder.config.hidden_size)
    for stage in (
        Stage(minutes=args.minutes, epochs=3, rate=1.2e-4),
        Stage(minutes=args.more, epochs=1.5, rate=8e-5, altered=0.3),
    ):
        train(model, tokenizer, examples, dev, stage=stage)
    names = {card.id for card in cards}
    labels = sum(len(answer.verdicts) for answer in answers if answer.card in names)
    run = {"cards": len(cards), "labels": labels, "examples": len(examples), "dev": measure(model, dev)}
    print(json.dumps(run))
    work.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), work / "model.pt")
    (work / "run.json").write_text(json.dumps(run) + "\n", "utf-8")
    export(model, args.out)


if __name__ == "__main__":
    main()

"""Cards that a model drafted: kept apart from the shipped ones, one file each, until somebody has reviewed them."""

from pathlib import Path

import yaml

from interviewer.cards import Bilingual, Card, CardFile
from interviewer.errors import unwritable

TOPIC = "drafted"
TITLE = Bilingual(en="Drafted from your notes, not reviewed", zh="根据你的笔记草拟，尚未审阅")


def keep(card: Card, folder: Path) -> CardFile:
    """Write a drafted card to a file of its own, and read it as any other.

    Raises:
        StorageError: the folder cannot be written.
    """
    path = folder / f"{card.id}.yaml"
    data = {
        "topic": TOPIC,
        "title": TITLE.model_dump(),
        "cards": [card.model_dump(mode="json", exclude={"topic"}, exclude_defaults=True)],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=120), "utf-8")
    except OSError as error:
        raise unwritable(folder, error) from error
    return CardFile(path, name=str(path))


def read_drafts(folder: Path) -> list[CardFile]:
    """Read the drafted cards.

    Raises:
        BadCards: one of them was edited and is wrong now.
    """
    return [CardFile(path, name=str(path)) for path in sorted(folder.glob("*.yaml"))]

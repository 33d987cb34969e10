"""Renders the files of prompts/; an undefined variable is an error."""

import re
from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from interviewer.language import Lang
from interviewer.settings import data_folder

MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+!|<>~$&-]")


def plain(text: str) -> str:
    """Return a text so that Markdown shows it as it stands: nothing in it comes alive."""
    return MARKDOWN.sub(r"\\\g<0>", text)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    # Prompts are plain text for a reader or a model, never HTML.
    environment = Environment(
        loader=FileSystemLoader(data_folder("prompts")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters["plain"] = plain
    return environment


def render(name: str, /, *, lang: Lang, **values: object) -> str:
    """Render prompts/NAME.LANG.md."""
    return _environment().get_template(f"{name}.{lang}.md").render(values).strip()

"""Renders the files of prompts/; an undefined variable is an error."""

from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from interviewer.language import Lang
from interviewer.settings import data_folder


@lru_cache(maxsize=1)
def _environment() -> Environment:
    # Prompts are plain text for a reader or a model, never HTML.
    return Environment(
        loader=FileSystemLoader(data_folder("prompts")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def render(name: str, /, *, lang: Lang, **values: object) -> str:
    """Render prompts/NAME.LANG.md."""
    return _environment().get_template(f"{name}.{lang}.md").render(values).strip()

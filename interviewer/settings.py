"""Settings: arguments > INTERVIEWER_* > .env > TOML > default."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from interviewer.errors import ConfigError

PACKAGE = Path(__file__).resolve().parent
MINILM = "minilm-bilingual"
CONFIG_FILE = Path(platformdirs.user_config_dir("interviewer")) / "config.toml"


def data_folder(name: str) -> Path:
    """Folder of shipped data: inside the wheel, else in the checkout."""
    packaged = PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else PACKAGE.parent / name


class Settings(BaseSettings):
    """Everything a user may set; `interviewer config show` prints it."""

    model_config = SettingsConfigDict(
        env_prefix="INTERVIEWER_", env_file=".env", toml_file=CONFIG_FILE, extra="ignore", frozen=True
    )

    home: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("interviewer")))
    """Where sessions and the index are kept."""
    knowledge: Path = Field(default_factory=lambda: data_folder("knowledge"))
    """Folder with notes/ and cards/."""
    embedder: str = MINILM
    """Embedding model; any other name is loaded with sentence-transformers (extra `hub`)."""
    engine: Literal["auto", "offline", "llm"] = "auto"
    """Who speaks and judges; auto: the configured server, else one found on loopback, else offline."""
    llm_base_url: str = ""
    """An OpenAI-compatible server, such as http://127.0.0.1:8000/v1."""
    llm_model: str = ""
    """Name of the served model; the first one served when empty."""
    llm_api_key: SecretStr = SecretStr("")
    llm_timeout: float = Field(default=60.0, gt=0)
    """Seconds that one call of the model may take."""
    llm_points_a_call: int = Field(default=8, ge=1, le=8)
    """Points that one call judges; with fewer than a card has, the calls run side by side on the shared prefix."""
    llm_samples: int = Field(default=1, ge=1, le=9)
    """How often the model judges a point; the verdict is the majority's, and disagreement makes it uncertain."""
    llm_second_opinion: bool = False
    """Whether the model's probability of each verdict is read as well, where the server gives log-probabilities."""
    llm_cache_salt: str = Field(default="", max_length=128, pattern=r"^[^@/\\\x00]*$")
    """Tenant whose KV cache is shared; made at random for this home when empty."""
    vllm_python: Path = PACKAGE.parent / ".venv-vllm" / "bin" / "python"
    """Python of the model server's environment."""
    lang: Literal["en", "zh"] = "en"
    """Language of questions when none is given."""
    host: str = "127.0.0.1"
    port: int = Field(default=7860, ge=1, le=65535)

    @property
    def database(self) -> Path:
        """SQLite file with sessions and checkpoints."""
        return self.home / "sessions.sqlite"

    @property
    def drafts(self) -> Path:
        """Folder of the cards that a model drafted."""
        return self.home / "drafts"

    @property
    def parsed_cards(self) -> Path:
        """Folder of files of cards as they were parsed: derived data."""
        return self.home / "parsed"

    @property
    def index_root(self) -> Path:
        """Folder of the search indexes, one folder a hash."""
        return self.home / "index"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**arguments: Any) -> Settings:
    """Read the settings; arguments that are None don't count.

    Raises:
        ConfigError: a value is not allowed.
    """
    try:
        return Settings(**{name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "settings"
        raise ConfigError(f"setting {name}: {first['msg']}; see `interviewer config show`") from error
    except ValueError as error:
        raise ConfigError(f"{CONFIG_FILE} or .env cannot be read: {error}") from error


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process."""
    return load_settings()

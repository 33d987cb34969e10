"""Every test has a home of its own, no network beyond loopback, and no settings from outside."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interviewer.library import Library, open_library
from interviewer.retrieval.embedder import Embedder, embedder
from interviewer.retrieval.index import SearchIndex, open_index
from interviewer.settings import MINILM, Settings, data_folder
from tests.faults.fake import FakeServer

Run = Callable[..., subprocess.CompletedProcess[str]]
FEW = [
    (folder, name)
    for topic in ("forgetting", "peft", "rope")
    for folder, name in (("notes", f"{topic}.en.md"), ("notes", f"{topic}.zh.md"), ("cards", f"{topic}.yaml"))
]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    for name in list(os.environ):
        if name.startswith("INTERVIEWER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INTERVIEWER_HOME", str(home))
    monkeypatch.setenv("INTERVIEWER_ENGINE", "offline")  # whatever serves a model on this machine
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return home


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        real(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def library() -> Library:
    return open_library(data_folder("knowledge"))


@pytest.fixture(scope="session")
def minilm() -> Embedder:
    return embedder(MINILM)


@pytest.fixture(scope="session")
def index(library: Library, minilm: Embedder, tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    """The index of the shipped knowledge, built once: that takes half a minute."""
    return open_index(library, minilm, root=tmp_path_factory.mktemp("index"))


@pytest.fixture
def few_topics(tmp_path: Path) -> Path:
    """A knowledge folder with three of the shipped topics, which is indexed fast."""
    target = tmp_path / "few"
    shipped = data_folder("knowledge")
    names = [f"{folder}/{name}" for folder, name in FEW]
    for name in [*names, "SOURCES.md", "glossary.yaml"]:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shipped / name, target / name)
    return target


@pytest.fixture
def settings(own_home: Path) -> Settings:
    return Settings(home=own_home)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A model server that plays well, until a test tells it otherwise."""
    fake = FakeServer()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def knowledge(tmp_path: Path) -> Path:
    """A copy of the shipped knowledge that a test may break."""
    target = tmp_path / "knowledge"
    shutil.copytree(data_folder("knowledge"), target)
    return target


@pytest.fixture
def run(own_home: Path) -> Run:
    """Run the command line in a process of its own."""

    def call(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "interviewer", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, **(env or {})},
        )

    return call

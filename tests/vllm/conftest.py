"""A real vLLM server with a tiny model of random weights, started by `interviewer vllm`."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from interviewer.settings import Settings

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
START_SECONDS = 240
Serve = Callable[[], "contextmanager[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if PYTHON.exists():
        return
    reason = "vLLM IS NOT TESTED: there is no .venv-vllm; `make vllm-cpu` makes it"
    if os.environ.get("CI"):
        raise pytest.UsageError(reason)
    warnings.warn(reason, stacklevel=1)
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """Start the server on a port of its own; returns its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "interviewer", "vllm", "--profile", "cpu", "--model", "tiny", "--port", str(port),
        "--", "--trust-request-chat-template",
    ]  # fmt: skip
    environment = {**os.environ, "INTERVIEWER_HOME": str(home), "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        try:
            said = ""
            for line in process.stderr:
                said += line
                if f"is served at http://127.0.0.1:{port}/v1" in line:
                    break
            else:
                raise AssertionError(f"vLLM did not start: {said}")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@pytest.fixture(scope="package")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("vllm-home")) as url:
        with urllib.request.urlopen(url.removesuffix("/v1") + "/health", timeout=10) as answer:
            assert answer.status == 200
        yield url


@pytest.fixture
def served(settings: Settings, base_url: str) -> Settings:
    return settings.model_copy(update={"engine": "llm", "llm_base_url": base_url})

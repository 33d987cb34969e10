"""`interviewer vllm` that cannot start says why in one line."""

import os
import socket
import subprocess
import sys
from pathlib import Path


def started(own_home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "interviewer", "vllm", "--profile", "cpu", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", **environment},
    )


def errors(result: subprocess.CompletedProcess[str]) -> list[str]:
    assert "Traceback" not in result.stderr
    return [line for line in result.stderr.splitlines() if line.startswith("error: ")]


def test_model_that_is_nowhere(own_home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    result = started(own_home, "--model", "nobody/nothing-of-the-kind", "--port", port)
    assert result.returncode == 1, result.stderr[-600:]
    assert len(errors(result)) == 1
    assert "nobody/nothing-of-the-kind" in errors(result)[0]
    assert "--model" in errors(result)[0]


def test_environment_that_is_missing(own_home: Path, tmp_path: Path) -> None:
    result = started(own_home, "--model", "tiny", INTERVIEWER_VLLM_PYTHON=str(tmp_path / "none"))
    assert result.returncode == 2
    assert len(errors(result)) == 1
    assert "make vllm-cpu" in errors(result)[0]


def test_port_that_is_taken(own_home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = started(own_home, "--model", "tiny", "--port", str(taken.getsockname()[1]))
    assert result.returncode == 2
    assert len(errors(result)) == 1
    assert "--port" in errors(result)[0]

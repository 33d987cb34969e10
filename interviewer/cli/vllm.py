"""Start the model server: vLLM from its own environment, with the configuration of serve/."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from interviewer.errors import ConfigError, ModelError, unwritable
from interviewer.settings import Settings, data_folder

Profile = Literal["cpu", "gpu"]
TINY = "tiny"
DEFAULT_MODEL: dict[Profile, str] = {"cpu": "Qwen/Qwen3-1.7B", "gpu": "Qwen/Qwen3-4B-Instruct-2507"}
THINKING = re.compile(r"qwen3-(?:[\d.]+b)(?:-a\d+b)?(?:-(?:fp8|awq|gptq.*|base))?$", re.I)
"""Models that think unless their template says no: they get ours, which keeps the history as it was."""
STAGES = (
    ("Loading weights took", "weights are loaded"),
    ("Loading safetensors", "loading weights"),
    ("Starting to load model", "loading the model"),
    ("Initializing a V1 LLM engine", "starting the engine"),
    ("GPU KV cache size", "KV cache is set up"),
    ("CPU KV cache size", "KV cache is set up"),
    ("Capturing CUDA graph", "capturing CUDA graphs"),
    ("Starting vLLM server", "opening the port"),
)
FAILURES = (
    (
        re.compile(
            r"is not a (?:local folder|valid model)|couldn't connect|Can't load the configuration|Repository Not Found|does not appear to have|LocalEntryNotFound"
        ),
        "the model {model!r} is not here and cannot be fetched; give a local folder with --model, or download it first",
    ),
    (
        re.compile(
            r"out of memory|No available memory for the cache|less than desired|Cannot allocate|KV cache is needed.*larger than|MemoryError"
        ),
        "there is not enough memory for {model!r}; choose a smaller model or pass `-- --max-model-len 8192`",
    ),
)


def run_server(
    settings: Settings, *, model: str | None, profile: Profile | None, port: int | None, extra: Sequence[str]
) -> int:
    """Start vLLM, say what happens until it answers, and stay until it ends. Returns the exit code.

    Raises:
        ConfigError: there is no environment, or the port is taken.
        ModelError: the server ended before it answered; the message says why.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends with us
    profile = profile or ("gpu" if shutil.which("nvidia-smi") else "cpu")
    python = _python(settings)
    port = port or 8000
    _free(port)
    wanted = model or DEFAULT_MODEL[profile]
    folder = _tiny(settings, python) if wanted == TINY else wanted
    command = [
        str(python), "-m", "vllm.entrypoints.openai.api_server",
        "--config", str(data_folder("serve") / f"{profile}.yaml"),
        "--model", folder, "--served-model-name", wanted, "--port", str(port), *_template(wanted), *extra,
    ]  # fmt: skip
    log = settings.home / "vllm.log"
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        sink = log.open("w", encoding="utf-8")
    except OSError as error:
        raise unwritable(settings.home, error) from error
    _say(f"starting vLLM ({profile}) with {wanted}; its log is {log}")
    with (
        sink,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_environment(profile),
            start_new_session=True,
        ) as process,
    ):
        tail: deque[str] = deque(maxlen=400)
        threading.Thread(target=_follow, args=(process, sink, tail), daemon=True).start()
        try:
            seconds = _wait(process, port, model=wanted, tail=tail)
            _say(f"{wanted} is served at http://127.0.0.1:{port}/v1 after {seconds:.0f} s (Ctrl-C stops it)")
            _say(
                "`interviewer practice` finds it by itself"
                if port == 8000
                else f"set INTERVIEWER_LLM_BASE_URL=http://127.0.0.1:{port}/v1"
            )
            return process.wait()
        finally:
            _end(process)


def _python(settings: Settings) -> Path:
    python = settings.vllm_python
    if not python.exists():
        raise ConfigError(
            f"no vLLM environment at {python}; `make vllm-cpu` or `make vllm-cuda` makes it, or set INTERVIEWER_VLLM_PYTHON"
        )
    return python


def _free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConfigError(
                f"127.0.0.1:{port} cannot be used: {error.strerror}; choose another with --port"
            ) from error


def _tiny(settings: Settings, python: Path) -> str:
    """Make the model of random weights that tests and benchmarks run on; it speaks nonsense."""
    folder = settings.home / "models" / "tiny-5m"
    made = subprocess.run(
        [python, data_folder("serve") / "tiny.py", folder], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise ModelError(f"the tiny model could not be made: {made.stderr.strip().splitlines()[-1:]}")
    return str(folder)


def _template(model: str) -> list[str]:
    if not THINKING.search(model):
        return []
    return ["--chat-template", str(data_folder("serve") / "templates" / "qwen3-nonthinking.jinja")]


def _environment(profile: Profile) -> dict[str, str]:
    own = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if profile == "cpu":
        # The second model runner of vLLM breaks structured output on a CPU (vllm#51283).
        own |= {"VLLM_CPU_KVCACHE_SPACE": "4", "VLLM_USE_V2_MODEL_RUNNER": "0"}
    return {**own, **os.environ}


def _follow(process: subprocess.Popen[str], sink: object, tail: deque[str]) -> None:
    assert process.stdout is not None
    shown = ""
    for line in process.stdout:
        tail.append(line)
        with suppress(ValueError):  # the log is closed: we are on the way out
            print(line, end="", file=sink, flush=True)  # type: ignore[call-overload]
        stage = next((words for mark, words in STAGES if mark in line), "")
        if stage and stage != shown:
            shown = stage
            _say(f"  {stage}")


def _wait(process: subprocess.Popen[str], port: int, *, model: str, tail: deque[str]) -> float:
    started = time.monotonic()
    while process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            if answer.status == 200:
                return time.monotonic() - started
        time.sleep(0.3)
    time.sleep(0.3)  # let the last lines of the log arrive
    text = "".join(tail)
    for pattern, message in FAILURES:
        if pattern.search(text):
            raise ModelError(message.format(model=model))
    errors = [line.strip() for line in tail if "Error" in line]
    raise ModelError(
        f"vLLM ended before it answered: {errors[-1][-300:] if errors else f'exit code {process.returncode}'}"
    )


def _end(process: subprocess.Popen[str]) -> None:
    """End the server and the engine processes that it started, also when it died before them."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

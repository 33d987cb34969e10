# Two commands lead: `make run` starts the web chat, `make test` checks everything.
PY ?= python3
BIN = .venv/bin
.DEFAULT_GOAL := run
.PHONY: setup run test lint bench vllm-cpu vllm-cuda

setup: .venv/app.stamp

.venv/app.stamp: pyproject.toml constraints.txt
	@$(PY) -c 'import sys; sys.exit("error: Python 3.11 or newer is needed; set PY=python3.11") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PY) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/dev.stamp: .venv/app.stamp
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# The model server has an environment of its own: vLLM and Gradio do not agree on their dependencies.
VLLM = .venv-vllm/bin/python
vllm-cpu: .venv-vllm/cpu.stamp
vllm-cuda: .venv-vllm/cuda.stamp

.venv-vllm/%.stamp: serve/requirements-%.txt
	test -x $(VLLM) || $(PY) -m venv .venv-vllm
	$(VLLM) -m pip install --quiet $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --requirement $< || \
	  { echo "error: vLLM could not be installed; where pip knows no CPU build of torch, pass TORCH_INDEX=<PyTorch's index of CPU wheels>"; exit 1; }
	@# The CPU build pulls CUDA builds of these three, and then dies on import; text models don't need them.
	test $* = cuda || $(VLLM) -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

run: .venv/app.stamp
	@$(BIN)/interviewer index --if-needed
	@$(BIN)/interviewer serve

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: .venv/dev.stamp lint
	$(BIN)/interviewer cards check
	-@test -e .venv-vllm/cuda.stamp || $(MAKE) --no-print-directory vllm-cpu
	$(BIN)/python -m pytest

bench: .venv/dev.stamp
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/retrieval.py
	$(BIN)/python benchmarks/grading.py
	$(BIN)/python benchmarks/kv_reuse.py

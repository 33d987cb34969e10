"""The small transformers that ship in the package, as int8 ONNX; they share one tokenizer."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from interviewer.settings import PACKAGE

TOKENIZER = PACKAGE / "retrieval" / "minilm" / "tokenizer.json"
Numbers = npt.NDArray[np.float32]


class Transformer:
    """One model: tokens in, numbers out; one text or pair a run, so that nothing depends on its neighbours."""

    def __init__(self, path: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        options.log_severity_level = 3
        # Two models take turns: the threads of one must not spin while the other works.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(TOKENIZER))

    def run(self, encoded: Any) -> list[Numbers]:
        """Return the outputs for one encoding of the tokenizer, without the dimension of the batch."""
        ids = np.array([encoded.ids], dtype=np.int64)
        types = np.array([encoded.type_ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": types}
        return [output[0].astype(np.float32) for output in self._session.run(None, inputs)]

"""Export of a bundle's model as one ONNX file, kept only if its scores equal the model's."""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from goemo.bundle import load
from goemo.bundle.encoder import EncoderBundle
from goemo.data.sample import LEAST_ROWS, generate
from goemo.errors import GoemoError, InputError, first_line
from goemo.files import built_file, check_file_target
from goemo.inference import sigmoid_scores, token_batch
from goemo.models import model_inputs, quiet_transformers
from goemo.models.padding import reads_one_length
from goemo.thresholds.json_file import thresholds_to_json
from goemo.tokens import TokenStore
from goemo.tokens.batches import Rows

# Scores of the file and of the model may differ by so much; rounding alone gives about a millionth.
TOLERANCE = 1e-4

_PACKAGES = ("onnx", "onnxruntime", "onnxscript")

# An ONNX file is one protocol buffer, of which 2 GiB are the limit.
_MOST_BYTES = 2**31 - 2**20

# Texts that are read together when the file is compared with the model.
_BATCH_SIZES = (1, 7, 32)


@dataclass(frozen=True)
class OnnxFile:
    """A file that was written.

    Attributes:
        path: Where it is.
        megabytes: Its size, in 10**6 bytes.
        texts: How many texts it was compared on.
        largest_difference: Of any score of any of these texts from that of the model.
        is_one_length: A batch must hold texts of one length.
    """

    path: Path
    megabytes: float
    texts: int
    largest_difference: float
    is_one_length: bool


def export_onnx(folder: Path, path: Path, *, texts: Sequence[str] | None = None) -> OnnxFile:
    """Write the model of a bundle as one ONNX file with free batch size and length.

    Inputs: ``input_ids``, ``attention_mask`` and, where tokenizer and model have them, ``token_type_ids``;
    int64, shape (batch, length), as the bundle's tokenizer gives them. Output: ``logits``, float32, shape
    (batch, labels); scores are their sigmoid. The file's metadata hold ``goemo.labels`` and
    ``goemo.thresholds`` as JSON, ``goemo.max_length``, and whether a batch must hold texts of one length
    (``goemo.one_length``), as padding changes what some encoders score.

    The file is read back and compared with the model on texts in batches of several sizes and lengths,
    padding included where the model may read it; only then is it put in place.

    Args:
        folder: A bundle.
        path: The file to write; an earlier one is replaced.
        texts: To compare on; None for sentences of the built-in sample, short, long and empty ones.

    Raises:
        InputError: No bundle, the path cannot be written to, or the model is too large for one file.
        GoemoError: A package is missing, the architecture cannot be exported, or the scores differ.
    """
    _check_packages()
    check_file_target(path)
    bundle = load(folder, device="cpu")
    if not isinstance(bundle, EncoderBundle):
        raise InputError(
            str(folder), ["must be an encoder to be exported to ONNX; this is another kind of model"]
        )
    size = sum(p.numel() * p.element_size() for p in bundle.model.parameters())
    if size > _MOST_BYTES:
        raise InputError(
            str(folder), [f"{size / 1e9:.1f} GB of weights exceed the 2 GiB that an ONNX file can hold"]
        )
    chosen = _sample_texts() if texts is None else list(texts)
    store = TokenStore.build(chosen, bundle.tokenizer)
    with built_file(path) as partial:
        _write(bundle, _example(bundle), partial)
        try:
            difference = _largest_difference(bundle, store, partial)
        except Exception as error:  # onnxruntime's own kinds of errors, of a file that it cannot run
            raise _cannot_be_exported(bundle, error) from error
        if not difference <= TOLERANCE:  # true for NaN too
            raise GoemoError(
                f"{folder}: the scores of the ONNX file differ by {difference:.1e} from the model's, more "
                f"than {TOLERANCE:.0e}; nothing was written"
            )
        megabytes = partial.stat().st_size / 1e6
    return OnnxFile(Path(path), megabytes, len(chosen), difference, reads_one_length(bundle.model))


class _Logits(nn.Module):
    """The model as a function of tensors to a tensor, which is what is exported."""

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        super().__init__()
        self._model, self._names = model, tuple(names)
        self._is_xlnet = model.config.model_type == "xlnet"

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return logits, shape (b, l), for the named inputs, shape (b, t) each."""
        inputs = dict(zip(self._names, tensors, strict=True))
        if self._is_xlnet:
            # Its own way to this mask is a subtraction of integers that the exporter cannot translate.
            inputs["input_mask"] = inputs.pop("attention_mask").eq(0).float()
        logits: Tensor = self._model(**inputs).logits
        return logits


def _check_packages() -> None:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise GoemoError(
            f"ONNX export needs {', '.join(missing)}; install with: pip install {' '.join(_PACKAGES)}"
        )


def _sample_texts() -> list[str]:
    """Return sentences, and with them an empty text, a word, and texts of several sentences."""
    sentences = [text for text, _ in generate(LEAST_ROWS, seed=0)[:24]]
    return ["", "wow", *sentences, *(" ".join(sentences[i : i + 8]) for i in range(0, 24, 8))]


def _example(bundle: EncoderBundle) -> dict[str, Tensor]:
    """Return inputs to trace with: more than one text and token, else these sizes would be fixed."""
    store = TokenStore.build(["what a day", "so happy for you", "no"], bundle.tokenizer)
    return _inputs(bundle, store, np.arange(3))


def _inputs(bundle: EncoderBundle, store: TokenStore, rows: Rows) -> dict[str, Tensor]:
    longest = int(store.lengths(bundle.max_length)[rows].max())
    batch = token_batch(store, rows, bundle.max_length, longest, torch.device("cpu"), multiple=1)
    return model_inputs(bundle.model, *batch)


def _write(bundle: EncoderBundle, example: dict[str, Tensor], path: Path) -> None:
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    try:
        with _quiet_exporter(), torch.inference_mode():
            program = torch.onnx.export(
                _Logits(bundle.model, list(example)).eval(),
                tuple(example.values()),
                input_names=list(example),
                output_names=["logits"],
                dynamic_shapes=((sizes,) * len(example),),
                dynamo=True,
                verbose=False,
            )
    except Exception as error:
        raise _cannot_be_exported(bundle, error) from error
    assert program is not None
    by_label = thresholds_to_json(bundle.thresholds, bundle.labels)["thresholds"]
    program.model.metadata_props.update(
        {
            "goemo.labels": json.dumps(bundle.labels, ensure_ascii=False),
            "goemo.thresholds": json.dumps(by_label, ensure_ascii=False),
            # top1: a text without a label gets that of its highest score.
            "goemo.fallback": bundle.thresholds.fallback,
            "goemo.round_scores_to": "float16",  # before they are compared with the thresholds
            "goemo.max_length": str(bundle.max_length),
            # true: a text scores otherwise when it is padded, so a batch must hold texts of one length.
            "goemo.one_length": json.dumps(reads_one_length(bundle.model)),
        }
    )
    program.save(path, external_data=False)


def _cannot_be_exported(bundle: EncoderBundle, error: Exception) -> GoemoError:
    reason = first_line(error.__cause__ or error)
    kind = bundle.model.config.model_type
    return GoemoError(f"a model of the type {kind} cannot be exported to ONNX: {reason}")


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's notes off the terminal: on packages that nobody needs, and on its own steps."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with quiet_transformers(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _largest_difference(bundle: EncoderBundle, store: TokenStore, path: Path) -> float:
    """Return by how much scores of the file and the model differ at most, over batches of all sizes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors alone
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    differences = [0.0]
    for size in (1,) if reads_one_length(bundle.model) else _BATCH_SIZES:
        for rows in np.array_split(np.arange(len(store)), -(-len(store) // size)):
            inputs = _inputs(bundle, store, rows)
            with torch.inference_mode():
                expected = bundle.model(**inputs).logits.numpy()
            found: NDArray[np.float32] = session.run(
                ["logits"], {name: tensor.numpy() for name, tensor in inputs.items()}
            )[0]
            differences.append(float(np.abs(sigmoid_scores(found) - sigmoid_scores(expected)).max()))
    return max(differences)

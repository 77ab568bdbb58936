"""Where a reranker's files are: the model's own, and what ``prepare_models`` made of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.text import slugify

from documents.embedding.weights import file_sha256

ONNX_FILE = "model.int8.onnx"
CARD_FILE = "card.json"
TOKENIZER_FILE = "tokenizer.json"
#: What a model on a hub is fetched with. Other formats of weights can run code.
WANTED = ("*.json", "*.txt", "*.safetensors", "*.model", "*/config.json")
#: Heads that give a pair of texts a score; the second kind by its next word.
HEADS = ("ForSequenceClassification", "ForCausalLM")


class RerankerUnavailable(RuntimeError):
    """The reranker cannot run here. Says which model and why; the log was told by whoever raised it."""


@dataclass(frozen=True, slots=True)
class Card:
    """What scoring without torch has to know. ``revision`` tells these weights from others."""

    model: str
    revision: str
    max_tokens: int
    pad_token: int


def model_folder(model: str, *, fetch: bool = False) -> Path:
    """The folder of ``model``: as named, or what a model hub's cache holds.

    Nothing is fetched while somebody waits for an answer: only ``prepare_models`` says ``fetch``.
    """
    named = Path(model).expanduser()
    folder = named.resolve() if named.is_dir() else from_hub(model, fetch=fetch)
    refuse_other_kinds(model, folder)
    return folder


def from_hub(model: str, *, fetch: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=list(WANTED), local_files_only=not fetch))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        advice = f"({error})" if fetch else "Run: python manage.py prepare_models"
        raise RerankerUnavailable(
            f"{model} is neither a folder nor a model that was fetched. {advice}"
        ) from error


def refuse_other_kinds(model: str, folder: Path) -> None:
    """An embedding model would be given a head of random numbers, and rank by them."""
    if not list(folder.glob("*.safetensors")):
        raise RerankerUnavailable(
            f"RERANKER_MODEL={model} has no safetensors file; other formats can run code."
        )
    heads = read_json(folder / "config.json").get("architectures") or [""]
    declared = read_json(folder / "config_sentence_transformers.json").get("model_type")
    if declared != "CrossEncoder" and not str(heads[0]).endswith(HEADS):
        raise RerankerUnavailable(
            f"RERANKER_MODEL={model} is no cross-encoder, it is a {heads[0] or 'model'}."
        )


def refuse_labels(model: str, labels: int) -> None:
    if labels != 1:
        raise RerankerUnavailable(
            f"RERANKER_MODEL={model} sorts pairs into {labels} labels; a reranker gives each pair one score."
        )


def revision(folder: Path) -> str:
    """Tells these weights from others under the same name."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(file_sha256(path).encode())
    return digest.hexdigest()


def prepared_folder(model: str) -> Path:
    """Where ``prepare_models`` keeps what it made; found by name, so the model itself may be gone."""
    named = Path(model).expanduser()
    key = str(named.resolve()) if named.is_dir() else model
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return Path(settings.MODELS_DIR) / f"reranker-{slugify(Path(key).name)[:40]}-{digest}"


def prepared_card(model: str) -> Card | None:
    """The card of the prepared file; None where there is none, or a folder's weights have changed since."""
    folder, named = prepared_folder(model), Path(model).expanduser()
    if not (folder / ONNX_FILE).is_file():
        return None
    card = Card(**read_json(folder / CARD_FILE))
    if named.is_dir() and revision(named) != card.revision:
        return None
    return card


def write_card(card: Card, folder: Path) -> None:
    (folder / CARD_FILE).write_text(json.dumps(asdict(card), indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Empty when there is no such file."""
    if not path.is_file():
        return {}
    content = json.loads(path.read_text())
    assert isinstance(content, dict)
    return content

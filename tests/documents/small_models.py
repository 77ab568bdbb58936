"""Sentence-transformers models that tests make themselves: small, of any dimension, without meaning."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from documents.embedding import weights

MAX_TOKENS = 128


def model_files(folder: Path, dimensions: int, *, saying: str = "") -> Path:
    """As much of a model as ``FakeEmbedder`` needs. ``saying`` makes its weights others."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"hidden_size": dimensions}))
    (folder / "model.safetensors").write_text(f"{dimensions} {saying}")
    shutil.copy(weights.packaged_folder() / "tokenizer.json", folder)
    return folder


def sentence_model(folder: Path, dimensions: int) -> Path:
    """A real one, with random weights: one layer of BERT and mean pooling."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=dimensions,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=MAX_TOKENS,
    )
    bert = folder / "bert"
    BertModel(config).save_pretrained(bert)
    special = {name: f"[{name[:3].upper()}]" for name in ("pad_token", "unk_token", "cls_token", "sep_token")}
    tokenizer = str(weights.packaged_folder() / "tokenizer.json")
    PreTrainedTokenizerFast(tokenizer_file=tokenizer, mask_token="[MASK]", **special).save_pretrained(bert)
    layers = [Transformer(str(bert), max_seq_length=MAX_TOKENS), Pooling(dimensions)]
    SentenceTransformer(modules=layers, device="cpu").save(str(folder / "model"))
    return folder / "model"

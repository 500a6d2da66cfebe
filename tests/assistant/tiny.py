"""Transformers of a few thousand weights, chosen by a seed: real ones, and quick."""

from collections.abc import Sequence
from pathlib import Path

WORDS = ("muon", "quota", "shift", "where", "is", "the")


def tiny_cross_encoder(folder: Path, labels: int = 1, words: Sequence[str] = WORDS):
    """A cross-encoder in `folder` that knows these words."""
    import torch
    from sentence_transformers import CrossEncoder
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder.mkdir(parents=True, exist_ok=True)
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (folder / "vocab.txt").write_text("\n".join(known))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(known), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=64, initializer_range=1.0,
        id2label={number: str(number) for number in range(labels)},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    return CrossEncoder(str(folder))


def tiny_embedder(folder: Path, words: Sequence[str] = WORDS):
    """A sentence-transformers folder whose vectors have 16 numbers, that knows these words."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    plain = folder / "plain"
    plain.mkdir(parents=True, exist_ok=True)
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (plain / "vocab.txt").write_text("\n".join(known))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(known), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=64, initializer_range=1.0,
    )  # fmt: skip
    BertModel(config).save_pretrained(plain)
    AutoTokenizer.from_pretrained(plain).save_pretrained(plain)
    transformer = Transformer(str(plain))
    made = SentenceTransformer(modules=[transformer, Pooling(16)])
    made.save_pretrained(str(folder), create_model_card=False)
    return made

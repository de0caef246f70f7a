"""Tiny BERT sentence encoders as ONNX exports, with the vectors that transformers and the pooling formulas give.

Usage: python scripts/goldens/sentence_encoder.py test/golden/sentence_encoder
Needs torch, transformers, tokenizers, onnx, sentence-transformers. Random weights; layout as sentence-transformers lays
it out (modules.json, 1_Pooling/config.json, sentence_bert_config.json). The vectors are those of SentenceTransformer.encode
on the same folder with the PyTorch weights in it, checked against the formulas: mean over the mask, or the first token;
then division by the norm.
"""

import json
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import onnx
import sentence_transformers
import tokenizers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

TEXTS = [
    "There is a pleural effusion on the left.",
    "The effusion lies on the left side, there is no pneumothorax.",
    "X",
    "",
    "Ödem der Lunge \U0001fac1 \u202bright to left\u202c",
    "The heart is enlarged and the lungs are clear. " * 12,  # longer than the limit of tokens
]
WORDS = (
    "the there is a an on of and no are left right side lies heart lung lungs clear enlarged pleural effusion "
    "pneumothorax odem der x to ##s ##e ##n . , ##ung l"
).split()


def tokenizer() -> Tokenizer:
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    vocab += [t for t in letters + ["##" + c for c in letters] if t not in vocab]
    t = Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocab)}, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return t


class Hidden(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state


def pooled(hidden, mask, pooling, normalise):
    if pooling == "cls":
        vectors = hidden[:, 0]
    else:
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        vectors = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
    return torch.nn.functional.normalize(vectors, p=2, dim=1) if normalise else vectors


def build(folder: Path, pooling: str, normalise: bool, limit: int):
    torch.manual_seed(7)
    t = tokenizer()
    config = BertConfig(
        vocab_size=t.get_vocab_size(), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, attn_implementation="eager",
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    for p in model.parameters():  # far from the tiny default, so that a wrong mask or position shows
        torch.nn.init.normal_(p, std=0.3) if p.dim() > 1 else torch.nn.init.normal_(p, mean=1.0, std=0.2)
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    t.save(str(folder / "tokenizer.json"))
    config.save_pretrained(folder)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")] + ([("2_Normalize", "Normalize")] if normalise else [])
    write(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(modules)
    ])
    write(folder / "1_Pooling/config.json", {
        "word_embedding_dimension": 16, "pooling_mode_cls_token": pooling == "cls",
        "pooling_mode_mean_tokens": pooling == "mean", "pooling_mode_max_tokens": False,
    })
    write(folder / "sentence_bert_config.json", {"max_seq_length": limit, "do_lower_case": False})
    sample = torch.ones(2, 5, dtype=torch.long)
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        Hidden(model).eval(), (sample, sample, sample * 0), str(folder / "model.onnx"), dynamo=False, opset_version=17,
        input_names=["input_ids", "attention_mask", "token_type_ids"], output_names=["last_hidden_state"],
        dynamic_axes={n: axes for n in ["input_ids", "attention_mask", "token_type_ids", "last_hidden_state"]},
    )
    t.enable_truncation(limit)
    encoded = [t.encode(text) for text in TEXTS]
    longest = max(len(e.ids) for e in encoded)
    ids = torch.tensor([e.ids + [0] * (longest - len(e.ids)) for e in encoded])
    mask = torch.tensor([[1] * len(e.ids) + [0] * (longest - len(e.ids)) for e in encoded])
    with torch.no_grad():
        vectors = pooled(model(ids, attention_mask=mask).last_hidden_state, mask, pooling, normalise)
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "encoder"
        shutil.copytree(folder, whole, ignore=shutil.ignore_patterns("golden.json", "model.onnx"))
        model.save_pretrained(whole)
        transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer(), pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
        ).save_pretrained(whole)
        theirs = torch.tensor(SentenceTransformer(str(whole), device="cpu").encode(TEXTS))
    torch.testing.assert_close(theirs, vectors, atol=2e-6, rtol=1e-5)
    vectors = theirs
    return {"texts": TEXTS, "token_ids": [e.ids for e in encoded], "vectors": vectors.tolist()}


def write(path: Path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def main():
    out = Path(sys.argv[1])
    for name, pooling, normalise, limit in [("mean", "mean", True, 48), ("cls", "cls", False, 32)]:
        golden = build(out / name, pooling, normalise, limit)
        golden["versions"] = {
            "python": platform.python_version(), "torch": torch.__version__, "onnx": onnx.__version__,
            "transformers": transformers.__version__, "tokenizers": tokenizers.__version__,
            "sentence_transformers": sentence_transformers.__version__,
        }
        write(out / name / "golden.json", golden)


if __name__ == "__main__":
    main()

"""A sentence encoder as viva reads it, from a sentence-transformers folder: model.onnx beside the folder's settings.

Usage: python scripts/export_sentence_encoder.py SOURCE FOLDER
SOURCE is a folder, or an id on the Hub. Needs torch, transformers, onnx, sentence-transformers. docs/rewards.md has what
viva can read (BERT-like encoders, mean or first-token pooling); opening the folder says what it cannot.
"""

import shutil
import sys
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer

KEPT = ["modules.json", "sentence_bert_config.json"]


class Hidden(torch.nn.Module):
    def __init__(self, model, inputs):
        super().__init__()
        self.model = model
        self.inputs = inputs

    def forward(self, *values):
        return self.model(**dict(zip(self.inputs, values))).last_hidden_state


def main():
    source, out = sys.argv[1], Path(sys.argv[2])
    # Attention in plain operators: the fused ones take shapes that an export would fix.
    whole = SentenceTransformer(source, device="cpu", model_kwargs={"attn_implementation": "eager", "dtype": "float32"})
    whole.save(str(out))
    model = whole[0].auto_model.eval()
    inputs = ["input_ids", "attention_mask"]
    if getattr(model.config, "type_vocab_size", 0) > 1:
        inputs.append("token_type_ids")
    ones = torch.ones(2, 5, dtype=torch.long)
    sample = tuple(ones * 0 if name == "token_type_ids" else ones for name in inputs)
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        Hidden(model, inputs).eval(), sample, str(out / "model.onnx"), dynamo=False, opset_version=17,
        input_names=inputs, output_names=["last_hidden_state"],
        dynamic_axes={name: axes for name in [*inputs, "last_hidden_state"]},
    )
    for name in KEPT:  # as the source spells them, where it is a folder: versions of the library write other keys
        if (Path(source) / name).is_file():
            shutil.copy(Path(source) / name, out / name)
    for weights in [*out.glob("*.safetensors"), *out.glob("pytorch_model.bin")]:
        weights.unlink()


if __name__ == "__main__":
    main()

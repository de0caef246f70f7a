"""Writes tiny random Qwen2-VL checkpoints with what transformers computes from them: prompt tokens, positions, pixels,
hidden states per layer, logits, loss and the gradient of every weight. viva's own Qwen2-VL is tested against these files.

needs: Python 3.11, torch (a CPU build is enough), transformers>=5, tokenizers, safetensors, pillow, numpy; no torchvision
usage: python scripts/goldens/qwen2_vl.py test/golden/qwen2_vl --template CHAT_TEMPLATE.jinja
       (without --template the chat template of an earlier run in the output folder is used again)

One folder per case, seeds fixed:
  checkpoint/         what save_pretrained writes (float32)
  *.png               the images of the prompt
  golden.json         versions, messages, prompt text and token ids, grids, positions [3][T], completion, loss
  golden.safetensors  pixel_values, vision.hidden.{i}, vision.output, language.hidden.{i}, language.norm, logits,
                      grad.{weight}: names as in checkpoint/model.safetensors
  hidden.0 is what enters the first block, hidden.{i} what block i-1 leaves; language.hidden.{last} is before the norm.
  T counts prompt and completion; the loss is the mean cross-entropy of the completion's tokens, <|im_end|> included.
old_layout/config.json is grouped_tied's configuration as transformers 4 wrote it.
"""

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import PIL
import safetensors
import tokenizers
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    Qwen2Tokenizer,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
)

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
           "<|image_pad|>", "<|video_pad|>"]
PRE_TOKENIZE = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CORPUS = ["system\nYou are a helpful assistant.\n", "user\n", "assistant\n",
          "Is there a fracture in this image? Answer yes or no.", "Which lung shows the opacity, the left or the right?",
          "What modality is used to take this image? Computed tomography.", "Where is the lesion located in the liver?",
          "Does the heart look enlarged? Yes, the heart is enlarged.", "Is there evidence of a pleural effusion? No, there is none.",
          "What organ is shown in the image? The image shows the brain.", "Compare the first image with the second image.",
          "There is an opacity in the upper left lung.", "The second image shows a larger lesion than the first.",
          "<think>The image is grey.</think>\n<answer>the brain</answer>"]
VOCABULARY = 392  # of the tokenizer; the models have 400 rows, as real checkpoints have more rows than tokens

# Image sizes are height, width; with `pixels` (min, max) they make resizing go up, down, and by different factors per side.
# The decomposed ö of a system message is there for the NFC normaliser.
CASES = {
    "grouped_tied": dict(
        seed=1, heads=4, kv_heads=2, intermediate=48, tied=True, rope_theta=1e6, mrope=[2, 3, 3],
        vision=dict(embed_dim=32, num_heads=2, mlp_ratio=2), pixels=(56 * 56, 28 * 28 * 16), images=[("image.png", 61, 101, "RGB")],
        user=["<image>", "Is there a fracture in this image? Answer yes or no."],
        completion="No, there is no fracture in the left lung."),
    "ungrouped_untied": dict(
        seed=2, heads=2, kv_heads=2, intermediate=80, tied=False, rope_theta=1e4, mrope=[4, 2, 2],
        vision=dict(embed_dim=16, num_heads=2, mlp_ratio=4), pixels=(28 * 28, 6300), images=[("grey.png", 131, 67, "L")],
        system="Gro\u0308ße 12 mm.", user=["What organ is shown?\n", "<image>"],
        completion="<think>It is grey.</think>\n<answer>the brain</answer>"),
    "two_images": dict(
        seed=3, heads=2, kv_heads=1, intermediate=48, tied=True, rope_theta=1e6, mrope=[2, 3, 3],
        vision=dict(embed_dim=16, num_heads=2, mlp_ratio=4), pixels=(4000, 6300),
        images=[("wide.png", 31, 90, "RGB"), ("tall.png", 141, 66, "RGB")],
        user=["First image:", "<image>", " Second image:", "<image>", "Which one shows the larger lesion?"],
        completion="The second image shows a larger lesion."),
}


class Processor(Qwen2VLProcessor):
    """Qwen2-VL's processor without a video processor, which would need torchvision."""

    def check_argument_for_proper_class(self, *args, **kwargs):
        return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--template", type=Path, help="Qwen2-VL's chat template")
    options = arguments.parse_args()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # one summation order
    template = options.template or options.out / "grouped_tied/checkpoint/chat_template.jinja"
    tokenizer = train_tokenizer(template.read_text())
    for name, case in CASES.items():
        write_case(options.out / name, case, tokenizer)
    write_old_layout(options.out / "old_layout", options.out / "grouped_tied/checkpoint")


def train_tokenizer(template):
    """A byte-level BPE built as Qwen2's: special tokens follow the vocabulary and are no part of the merges."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PRE_TOKENIZE), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    assert bpe.get_vocab_size() == VOCABULARY
    with tempfile.TemporaryDirectory() as folder:  # through files, as a checkpoint from the Hub is read
        bpe.save(f"{folder}/tokenizer.json")
        write_json(Path(folder) / "tokenizer_config.json", {
            "tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
            "additional_special_tokens": SPECIAL[1:], "model_max_length": 32768, "chat_template": template})
        tokenizer = Qwen2Tokenizer.from_pretrained(folder)
    assert [tokenizer.convert_tokens_to_ids(token) for token in SPECIAL] == list(range(VOCABULARY - len(SPECIAL), VOCABULARY))
    return tokenizer


def write_case(folder, case, tokenizer):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(case["seed"])
    for file, height, width, mode in case["images"]:
        random_image(rng, height, width, mode).save(folder / file)

    model = build_model(case, tokenizer)
    image_processor = Qwen2VLImageProcessorPil(min_pixels=case["pixels"][0], max_pixels=case["pixels"][1])
    save_checkpoint(folder / "checkpoint", model, tokenizer, image_processor)
    model = Qwen2VLForConditionalGeneration.from_pretrained(folder / "checkpoint", attn_implementation="eager").eval()

    processor = Processor(image_processor=image_processor, tokenizer=tokenizer, chat_template=tokenizer.chat_template)
    messages = build_messages(case)
    prompt = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    images = [Image.open(folder / file) for file, *_ in case["images"]]
    inputs = processor(text=[prompt], images=images, return_tensors="pt")
    prompt_ids = inputs["input_ids"][0].tolist()
    completion_ids = tokenizer(case["completion"])["input_ids"] + [tokenizer.convert_tokens_to_ids("<|im_end|>")]
    ids = torch.tensor([prompt_ids + completion_ids])
    is_image = (ids == model.config.image_token_id).int()
    grids = inputs["image_grid_thw"]
    positions, _ = model.model.get_rope_index(ids, mm_token_type_ids=is_image, image_grid_thw=grids)

    tensors = {"pixel_values": inputs["pixel_values"]}
    hooks = record_hidden_states(model, tensors)
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=is_image,
                   pixel_values=inputs["pixel_values"], image_grid_thw=grids, use_cache=False).logits[0]
    for hook in hooks:
        hook.remove()
    loss = torch.nn.functional.cross_entropy(logits[len(prompt_ids) - 1 : -1], torch.tensor(completion_ids))
    loss.backward()
    tensors["logits"] = logits

    saved = load_file(folder / "checkpoint/model.safetensors")
    parameters = {saved_name(name): parameter for name, parameter in model.named_parameters()}  # a tied weight comes once
    assert parameters.keys() == saved.keys(), parameters.keys() ^ saved.keys()
    for name, parameter in parameters.items():
        assert torch.equal(parameter, saved[name]), name
        assert parameter.grad.abs().max() > 0, name
        tensors[f"grad.{name}"] = parameter.grad
    save_file({name: tensor.detach().float().contiguous().clone() for name, tensor in tensors.items()}, folder / "golden.safetensors")
    write_json(folder / "golden.json", {
        "versions": versions(), "messages": messages, "prompt": prompt, "prompt_ids": prompt_ids,
        "image_grid_thw": grids.tolist(), "position_ids": positions[:, 0].tolist(),
        "completion": case["completion"], "completion_ids": completion_ids, "loss": loss.item()})
    print(f"{folder.name}: {len(prompt_ids)} + {len(completion_ids)} tokens, grids {grids.tolist()}, loss {loss.item():.4f}, "
          f"{sum(p.numel() for p in parameters.values())} parameters")


def build_messages(case):
    """The case's turns with `type` and `path` or `text`; the n-th "<image>" is the n-th image."""
    files = iter([file for file, *_ in case["images"]])
    user = [{"type": "image", "path": next(files)} if part == "<image>" else {"type": "text", "text": part} for part in case["user"]]
    system = [{"role": "system", "content": [{"type": "text", "text": case["system"]}]}] if "system" in case else []
    return [*system, {"role": "user", "content": user}]


def build_model(case, tokenizer):
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    width = 16 * case["heads"]
    config = Qwen2VLConfig(
        text_config=dict(
            hidden_size=width, num_hidden_layers=2, num_attention_heads=case["heads"], num_key_value_heads=case["kv_heads"],
            intermediate_size=case["intermediate"], vocab_size=400, max_position_embeddings=512, rms_norm_eps=1e-6,
            rope_theta=case["rope_theta"], rope_scaling={"type": "mrope", "mrope_section": case["mrope"]},
            tie_word_embeddings=case["tied"], bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|im_end|>"]),
        vision_config=dict(depth=2, hidden_size=width, patch_size=14, spatial_merge_size=2, temporal_patch_size=2, **case["vision"]),
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=case["tied"])
    model = Qwen2VLForConditionalGeneration(config)
    model.generation_config.update(eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]], pad_token_id=ids["<|endoftext|>"])
    generator = torch.Generator().manual_seed(case["seed"])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("bias"):
                parameter.copy_(0.1 * noise)
            elif parameter.dim() == 1:  # norms
                parameter.copy_(1 + 0.1 * noise)
            else:  # large enough that a wrong term shows; 1176 correlated pixels enter the patch embedding
                parameter.copy_((0.03 if "patch_embed" in name else 0.15) * noise)
    return model


def save_checkpoint(folder, model, tokenizer, image_processor):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    image_processor.save_pretrained(folder)
    # transformers 5 moves the template to chat_template.jinja; checkpoints on the Hub still carry it in this file.
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "chat_template": tokenizer.chat_template}, indent=2, ensure_ascii=False) + "\n")


def saved_name(name):
    """save_pretrained writes the Hub's names: visual.… and model.…, not the module tree's own."""
    return name.replace("model.language_model.", "model.", 1).replace("model.visual.", "visual.", 1)


def record_hidden_states(model, into):
    def stack(prefix, blocks):
        def enter(_module, args, kwargs):
            into[f"{prefix}.hidden.0"] = squeeze(args[0] if args else kwargs["hidden_states"])

        yield blocks[0].register_forward_pre_hook(enter, with_kwargs=True)
        for i, block in enumerate(blocks):
            yield output_hook(block, f"{prefix}.hidden.{i + 1}")

    def output_hook(module, name):
        def leave(_module, _args, output):
            into[name] = squeeze(output)

        return module.register_forward_hook(leave)

    def squeeze(hidden):  # [1, T, D] -> [T, D]
        return hidden[0] if hidden.dim() == 3 else hidden

    vision, language = model.model.visual, model.model.language_model
    return [*stack("vision", vision.blocks), output_hook(vision.merger, "vision.output"),
            *stack("language", language.layers), output_hook(language.norm, "language.norm")]


def write_old_layout(folder, checkpoint):
    """Text fields at the top level and rope_scaling beside rope_theta, as in Qwen/Qwen2-VL-2B-Instruct's own file."""
    new = json.loads((checkpoint / "config.json").read_text())
    text, vision = dict(new["text_config"]), new["vision_config"]
    rope = text["rope_parameters"]
    flat = ["attention_dropout", "bos_token_id", "eos_token_id", "hidden_act", "hidden_size", "initializer_range",
            "intermediate_size", "max_position_embeddings", "max_window_layers", "num_attention_heads", "num_hidden_layers",
            "num_key_value_heads", "rms_norm_eps", "use_cache", "use_sliding_window", "vocab_size"]
    tokens = ["image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id"]
    dimensions = ["depth", "embed_dim", "mlp_ratio", "num_heads", "hidden_size", "patch_size", "spatial_merge_size",
                  "temporal_patch_size"]
    old = {
        "architectures": ["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl",
        **{key: text[key] for key in flat}, **{key: new[key] for key in tokens},
        "rope_scaling": {"type": "mrope", "mrope_section": rope["mrope_section"]}, "rope_theta": rope["rope_theta"],
        "sliding_window": 32768, "tie_word_embeddings": new["tie_word_embeddings"], "torch_dtype": "float32",
        "transformers_version": "4.41.2",
        "vision_config": {**{key: vision[key] for key in dimensions}, "in_chans": vision["in_channels"],
                          "spatial_patch_size": vision["patch_size"], "model_type": "qwen2_vl"},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(old, indent=2) + "\n")
    a, b = (Qwen2VLConfig.from_pretrained(path) for path in (folder, checkpoint))
    for key in flat + ["rope_parameters", "layer_types"]:
        assert getattr(a.text_config, key) == getattr(b.text_config, key), key
    for key in dimensions + ["in_channels", "hidden_act"]:
        assert getattr(a.vision_config, key) == getattr(b.vision_config, key), key
    for key in tokens + ["tie_word_embeddings"]:
        assert getattr(a, key) == getattr(b, key), key


def random_image(rng, height, width, mode):
    """A smooth field plus noise, so that another filter, rounding or order of rows and columns changes many pixels."""
    planes = []
    for _ in range(len(Image.new(mode, (1, 1)).getbands())):
        coarse = Image.fromarray(rng.uniform(0, 255, (6, 5)).astype(np.float32))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
        planes.append(np.clip(smooth + rng.normal(0, 14, (height, width)), 0, 255).astype(np.uint8))
    return Image.fromarray(planes[0] if len(planes) == 1 else np.stack(planes, axis=-1))


def versions():
    modules = [torch, transformers, tokenizers, safetensors, np]
    return {"python": platform.python_version(), "pillow": PIL.__version__, **{m.__name__: m.__version__ for m in modules}}


def write_json(path, record):
    """One line per key: position ids stay readable and small."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in record.items()]
    Path(path).write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()

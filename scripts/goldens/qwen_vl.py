"""What the golden scripts of the Qwen-VL families share: a tiny tokenizer, prompts with images, and one case's files, written
from what transformers computes: prompt tokens, positions, pixels, hidden states per layer, logits, loss and the gradient of
every weight. viva's own models are tested against these files.

needs: Python 3.11, torch (a CPU build is enough), transformers>=5, tokenizers, safetensors, pillow, numpy; no torchvision
usage: python scripts/goldens/{qwen2_vl,qwen2_5_vl,qwen3_vl}.py test/golden/NAME --template CHAT_TEMPLATE.jinja
       (without --template the chat template of an earlier run in the output folder is used again)

One folder per case, seeds fixed:
  checkpoint/         what save_pretrained writes (float32)
  *.png               the images of the prompt
  golden.json         versions, messages, prompt text and token ids, grids, positions [3][T], completion, loss
  golden.safetensors  pixel_values, vision.hidden.{i}, vision.output, language.hidden.{i}, language.norm, logits,
                      grad.{weight}: names as in checkpoint/model.safetensors
  hidden.{i} is what enters block i, hidden.{last} what leaves the blocks; language.hidden.{last} is before the norm.
  Patches and image tokens are in the order of pixel_values, whatever order a tower uses inside; vision.output has the
  outputs of all of a tower's mergers side by side.
  T counts prompt and completion; the loss is the mean cross-entropy of the completion's tokens, <|im_end|> included.
old_layout/config.json is the first case's configuration as transformers 4 wrote it.
"""

import argparse
import json
import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

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
from transformers import Qwen2Tokenizer, Qwen2VLImageProcessorPil

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


@dataclass(frozen=True)
class Family:
    """How one family differs: its classes, its configuration of a case, and the names and order inside its tower."""

    model: type
    config: type
    processor: type
    build_config: Callable[[dict, dict], Any]  # case, ids of the special tokens
    saved_name: Callable[[str], str]  # of a parameter, in a checkpoint
    old_config: Callable[[dict], dict]  # config.json as transformers 4 wrote it
    mergers: Callable[[Any], list]  # of a tower, in the order of their outputs
    # For a tower that reorders patches: the index of each image token in the tower's own order.
    window_index: Callable[[Any, Any], Any] | None = None
    image_processor: dict | None = None  # options beside the pixel limits


def without_video(processor):
    """The processor without a video processor, which would need torchvision."""

    class Processor(processor):
        def check_argument_for_proper_class(self, *args, **kwargs):
            return None

    return Processor


def write_family(family, cases, description):
    """Writes all cases of a family into the folder that the command line names."""
    arguments = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--template", type=Path, help="the family's chat template")
    options = arguments.parse_args()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # one summation order
    first = options.out / next(iter(cases)) / "checkpoint"
    tokenizer = train_tokenizer((options.template or first / "chat_template.jinja").read_text())
    for name, case in cases.items():
        write_case(family, options.out / name, case, tokenizer)
    write_old_layout(family, options.out / "old_layout", first)


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


def write_case(family, folder, case, tokenizer):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(case["seed"])
    for file, height, width, mode in case["images"]:
        random_image(rng, height, width, mode).save(folder / file)

    model = build_model(family, case, tokenizer)
    image_processor = Qwen2VLImageProcessorPil(min_pixels=case["pixels"][0], max_pixels=case["pixels"][1], **(family.image_processor or {}))
    save_checkpoint(folder / "checkpoint", model, tokenizer, image_processor)
    model = family.model.from_pretrained(folder / "checkpoint", attn_implementation="eager").eval()

    processor = without_video(family.processor)(image_processor=image_processor, tokenizer=tokenizer, chat_template=tokenizer.chat_template)
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
    hooks = list(record_hidden_states(family, model, tensors))
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=is_image,
                   pixel_values=inputs["pixel_values"], image_grid_thw=grids, use_cache=False).logits[0]
    for hook in hooks:
        hook.remove()
    if family.window_index is not None:
        restore_order(tensors, family.window_index(model, grids), model.config.vision_config.spatial_merge_size**2)
    loss = torch.nn.functional.cross_entropy(logits[len(prompt_ids) - 1 : -1], torch.tensor(completion_ids))
    loss.backward()
    tensors["logits"] = logits

    saved = load_file(folder / "checkpoint/model.safetensors")
    parameters = {family.saved_name(name): parameter for name, parameter in model.named_parameters()}  # a tied weight comes once
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


def build_model(family, case, tokenizer):
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    model = family.model(family.build_config(case, ids))
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


def token_options(ids):
    """What every family's configuration says about its special tokens."""
    return dict(image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
                vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"])


def flat_name(name):
    """The Hub's names of Qwen2-VL and Qwen2.5-VL: visual.… and model.…, not the module tree's own."""
    return name.replace("model.language_model.", "model.", 1).replace("model.visual.", "visual.", 1)


def record_hidden_states(family, model, into):
    """What enters each block and what leaves the last, with everything that is added between blocks."""
    def enter(module, name):
        def before(_module, args, kwargs):
            into[name] = squeeze(args[0] if args else kwargs["hidden_states"])

        return module.register_forward_pre_hook(before, with_kwargs=True)

    def leave(module, keep):
        return module.register_forward_hook(lambda _module, _args, output: keep(squeeze(output)))

    def squeeze(hidden):  # [1, T, D] -> [T, D]
        return hidden[0] if hidden.dim() == 3 else hidden

    def keep_merged(i, output):
        merged[i] = output
        into["vision.output"] = torch.cat([merged[i] for i in sorted(merged)], dim=1)

    vision, language = model.model.visual, model.model.language_model
    merged = {}
    ends = [("vision", vision.blocks, None), ("language", language.layers, language.norm)]
    for prefix, blocks, after in ends:
        for i, block in enumerate(blocks):
            yield enter(block, f"{prefix}.hidden.{i}")
        last = f"{prefix}.hidden.{len(blocks)}"
        yield enter(after, last) if after is not None else leave(blocks[-1], lambda output, last=last: into.update({last: output}))
    for i, merger in enumerate(family.mergers(vision)):
        yield leave(merger, lambda output, i=i: keep_merged(i, output))
    yield leave(language.norm, lambda output: into.update({"language.norm": output}))


def restore_order(tensors, window_index, patches):
    """Puts a tower's patches and image tokens back into the order of pixel_values."""
    back = torch.argsort(window_index)
    for name in [name for name in tensors if name.startswith("vision.")]:
        rows = tensors[name]
        group = 1 if name == "vision.output" else patches
        tensors[name] = rows.reshape(-1, group, rows.shape[-1])[back].reshape(rows.shape)


def write_old_layout(family, folder, checkpoint):
    """The checkpoint's configuration as transformers 4 wrote it; transformers reads both alike."""
    new = json.loads((checkpoint / "config.json").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(family.old_config(new), indent=2) + "\n")
    a, b = (family.config.from_pretrained(path).to_dict() for path in (folder, checkpoint))
    for key in ("text_config", "vision_config"):
        for name in b[key].keys() - {"dtype", "torch_dtype", "pad_token_id", "transformers_version", "tie_word_embeddings"}:
            left, right = a[key].get(name), b[key][name]
            if name == "rope_parameters":
                left, right = ({k: v for k, v in rope.items() if k != "type"} for rope in (left, right))
            assert left == right, (key, name, left, right)
    for name in (*TOKEN_KEYS, "tie_word_embeddings"):
        assert a[name] == b[name], name


TOKEN_KEYS = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")


def flat_old_config(new, vision_keys, rename):
    """Text fields at the top level and rope_scaling beside rope_theta, as in the Hub's own files of Qwen2-VL and Qwen2.5-VL."""
    text, vision = new["text_config"], new["vision_config"]
    rope = text["rope_parameters"]
    flat = ["attention_dropout", "bos_token_id", "eos_token_id", "hidden_act", "hidden_size", "initializer_range",
            "intermediate_size", "max_position_embeddings", "max_window_layers", "num_attention_heads", "num_hidden_layers",
            "num_key_value_heads", "rms_norm_eps", "use_cache", "use_sliding_window", "vocab_size"]
    return {
        "architectures": new["architectures"], "model_type": new["model_type"],
        **{key: text[key] for key in flat}, **{key: new[key] for key in TOKEN_KEYS},
        "rope_scaling": {"type": "mrope", "mrope_section": rope["mrope_section"]}, "rope_theta": rope["rope_theta"],
        "sliding_window": 32768, "tie_word_embeddings": new["tie_word_embeddings"], "torch_dtype": "float32",
        "transformers_version": "4.41.2",
        "vision_config": {**{key: vision[key] for key in vision_keys}, **{old: vision[key] for old, key in rename.items()},
                          "model_type": new["model_type"]},
    }


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


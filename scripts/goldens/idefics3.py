"""Writes tiny random Idefics3 and SmolVLM checkpoints with what transformers computes from them: prompt tokens, tiles,
hidden states per layer, logits, loss and the gradient of every weight; and what the image processor makes of many images.
viva's own models and processors of these families are tested against these files.

needs: what scripts/goldens/qwen2_vl.py needs, and num2words (SmolVLM's processor asks for it); no torchvision, without
       which transformers takes the image processors that work with Pillow
usage: python scripts/goldens/idefics3.py test/golden/idefics3 [--templates FOLDER] [--shared FOLDER]
       (without --templates, a folder with idefics3.jinja and smolvlm.jinja, those of an earlier run are used again; without
       --shared, a folder of real images, the rows of real.json stay as they are)

One folder per case, seeds fixed:
  checkpoint/         what save_pretrained writes (float32)
  *.png               the images of the prompt
  golden.json         versions, messages, prompt text and token ids, grids [tiles, rows, columns of patches] per image,
                      positions [1][T], completion (as tokens with the blank that the template puts before it), loss
  golden.safetensors  pixel_values, vision.hidden.{i}, vision.output, language.hidden.{i}, language.norm, logits,
                      grad.{weight}: names as in checkpoint/model.safetensors
  Patches and the vision tower's states stand in merge order: those that pixel shuffle makes one token follow each other.
old_layout/config.json   idefics3_split's configuration as transformers 4 wrote it.
positions.json           which learned rows and columns the rows and columns of patches of tiles of many sizes take
images.json, real.json   per image and setting: grid, and SHA-256 of the float32 patches in merge order; real.json is about
                         images that are not in the repository
"""

import argparse
import hashlib
import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import torch
import transformers
from PIL import Image
from qwen_vl import CORPUS, random_image, versions, write_json
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoImageProcessor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    PreTrainedTokenizerFast,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessorPil,
    SmolVLMProcessor,
)
from transformers.image_utils import load_image

TILE_TAGS = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
# The rows and columns of tiles are tokens of SmolVLM, and plain text to Idefics3's Llama 3 tokenizer.
FAMILIES = {
    "idefics3": dict(
        config=Idefics3Config, model=Idefics3ForConditionalGeneration, images=Idefics3ImageProcessorPil, processor=Idefics3Processor,
        bos="<|begin_of_text|>", eos="<|end_of_text|>", stops=["<|end_of_text|>", "<|eot_id|>"],
        special=["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<fake_token_around_image>", "<image>", "<end_of_utterance>"]),
    "smolvlm": dict(
        config=SmolVLMConfig, model=SmolVLMForConditionalGeneration, images=SmolVLMImageProcessorPil, processor=SmolVLMProcessor,
        bos="<|im_start|>", eos="<end_of_utterance>", stops=["<end_of_utterance>", "<|im_end|>"],
        special=["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<fake_token_around_image>", *TILE_TAGS, "<global-img>", "<image>",
                 "<end_of_utterance>"]),
}
TEXT_VOCABULARY = 300  # tokens without special ones; the models have some rows more than tokens, as real checkpoints do

# Image sizes are height, width. `image` is the side that the tower has learned positions for, `tile` the side it is given.
CASES = {
    "idefics3_split": dict(
        family="idefics3", seed=11, width=32, heads=4, kv_heads=2, head_dim=None, intermediate=48, tied=False,
        rope={"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 64},
        vision=dict(hidden_size=24, num_attention_heads=2, intermediate_size=40, image_size=32, patch_size=8), scale=2,
        processing=dict(size={"longest_edge": 80}, max_image_size={"longest_edge": 32}),
        images=[("image.png", 61, 101, "RGB")], user=["<image>", "Is there a fracture in this image? Answer yes or no."],
        completion="No, there is no fracture in the left lung."),
    "idefics3_whole": dict(
        family="idefics3", seed=12, width=24, heads=2, kv_heads=2, head_dim=16, intermediate=40, tied=True,
        rope={"rope_type": "default", "rope_theta": 5e5},
        vision=dict(hidden_size=16, num_attention_heads=2, intermediate_size=24, image_size=70, patch_size=10), scale=2,
        processing=dict(size={"longest_edge": 100}, max_image_size={"longest_edge": 40}, do_image_splitting=False),
        images=[("wide.png", 7, 190, "RGB"), ("tiny.png", 3, 2, "L")],
        user=["First image:", "<image>", " Second image:", "<image>", "Which one shows the larger lesion?"],
        completion="<think>It is grey.</think>\n<answer>the second</answer>"),
    "smolvlm_several": dict(
        family="smolvlm", seed=13, width=32, heads=2, kv_heads=1, head_dim=None, intermediate=48, tied=True,
        rope={"rope_type": "default", "rope_theta": 1e5},
        vision=dict(hidden_size=16, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8), scale=2,
        processing=dict(do_resize=False, size={"longest_edge": 128}, max_image_size={"longest_edge": 32}),
        images=[("small.png", 20, 31, "RGB"), ("tall.png", 70, 33, "RGB"), ("long.png", 9, 60, "RGB")],
        user=["<image>", "<image>", "Compare the first image with the second image. Third:\n", "<image>"],
        completion="The second image shows a larger lesion."),
    "smolvlm_fractions": dict(
        family="smolvlm", seed=14, width=24, heads=3, kv_heads=3, head_dim=None, intermediate=40, tied=False,
        rope={"rope_type": "default", "rope_theta": 1e4},
        vision=dict(hidden_size=24, num_attention_heads=3, intermediate_size=40, image_size=80, patch_size=8), scale=3,
        processing=dict(size={"longest_edge": 90}, max_image_size={"longest_edge": 48}, image_mean=[0.48, 0.45, 0.4],
                        image_std=[0.26, 0.27, 0.28]),
        system="Gro\u00dfe 12 mm.", images=[("grey.png", 131, 67, "L")], user=["What organ is shown?\n", "<image>"],
        completion="The image shows the brain."),
}
# What images.json and real.json cover: as published for Idefics3-8B and SmolVLM-256M, and smaller ones.
SETTINGS = {
    "idefics3": dict(size={"longest_edge": 1456}, max_image_size={"longest_edge": 364}, patch=14, scale=2),
    "smolvlm": dict(size={"longest_edge": 2048}, max_image_size={"longest_edge": 512}, patch=16, scale=4),
    "whole": dict(size={"longest_edge": 512}, max_image_size={"longest_edge": 512}, do_image_splitting=False, patch=16, scale=4),
    "own_size": dict(do_resize=False, max_image_size={"longest_edge": 48}, patch=8, scale=3),
    "over_4096": dict(size={"longest_edge": 5000}, max_image_size={"longest_edge": 2048}, patch=64, scale=4),
    "odd": dict(size={"longest_edge": 211}, max_image_size={"longest_edge": 50}, patch=8, scale=2),
    "fixed": dict(size={"height": 70, "width": 90}, max_image_size={"longest_edge": 32}, resample=3, patch=8, scale=2),
}
# Generated images are those of scripts/goldens/processor.py. The tower's cost does not matter here, only pixels.
IMAGES = {"exact.png": ["smolvlm", "own_size", "odd", "fixed"], "very_wide.png": ["idefics3", "whole", "own_size", "odd", "over_4096"],
          "tiny.png": ["idefics3", "odd", "whole"], "grey.png": ["smolvlm", "odd"], "rgba.png": ["odd", "own_size"],
          "palette.png": ["idefics3"], "ties.png": ["odd", "own_size", "fixed"], "photo.jpg": ["odd", "whole"], "rotated.jpg": ["odd", "own_size"]}
REAL = ["data/slake/imgs/xmlab100/source.jpg", "data/slake/imgs/xmlab500/source.jpg", "data/vqa_rad/images/synpic100132.jpg",
        "data/vqa_rad/images/synpic12210.jpg"]


class WithoutVideo(SmolVLMProcessor):
    """SmolVLM's processor without a video processor, which would need torchvision."""

    def check_argument_for_proper_class(self, *args, **kwargs):
        return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--templates", type=Path, help="folder of the families' chat templates")
    arguments.add_argument("--shared", type=Path, help="folder of real images")
    options = arguments.parse_args()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # one summation order
    for name, case in CASES.items():
        family = case["family"]
        kept = options.out / name / "checkpoint/chat_template.jinja"
        template = (options.templates / f"{family}.jinja" if options.templates else kept).read_text()
        write_case(options.out / name, case, train_tokenizer(FAMILIES[family], template))
    write_old_layout(options.out / "old_layout", options.out / "idefics3_split/checkpoint")
    write_positions(options.out / "positions.json")
    generated = options.out.parent / "processor"
    write_images(options.out / "images.json", [(generated, file, settings) for file, settings in IMAGES.items()])
    if options.shared:
        write_images(options.out / "real.json", [(options.shared, file, ["idefics3", "smolvlm", "odd"]) for file in REAL])


def train_tokenizer(family, template):
    """A byte-level BPE built as SmolLM2's: digits apart, special tokens after the vocabulary."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    bpe.decoder = decoders.ByteLevel()
    corpus = [text.replace("user", "User").replace("assistant", "Assistant") for text in CORPUS]
    bpe.train_from_iterator([*corpus, "User: ", "Assistant: ", "\n\n", *TILE_TAGS, "<global-img>"] * 2, trainers.BpeTrainer(
        vocab_size=TEXT_VOCABULARY, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in family["special"]])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=family["bos"], eos_token=family["eos"], pad_token=family["stops"][1], chat_template=template)
    assert len(tokenizer) == TEXT_VOCABULARY + len(family["special"])
    return tokenizer


def write_case(folder, case, tokenizer):
    folder.mkdir(parents=True, exist_ok=True)
    family = FAMILIES[case["family"]]
    rng = np.random.default_rng(case["seed"])
    for file, height, width, mode in case["images"]:
        random_image(rng, height, width, mode).save(folder / file)

    model = build_model(case, family, tokenizer)
    image_processor = family["images"](**case["processing"])
    save_checkpoint(folder / "checkpoint", model, tokenizer, image_processor)
    model = family["model"].from_pretrained(folder / "checkpoint", attn_implementation="eager").eval()
    assert type(AutoImageProcessor.from_pretrained(folder / "checkpoint")) is family["images"]

    processor = build_processor(family, image_processor, tokenizer, tokens_per_tile(case))
    messages = build_messages(case)
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    images = [Image.open(folder / file) for file, *_ in case["images"]]
    inputs = processor(text=[prompt], images=[images], return_tensors="pt", add_special_tokens=False)
    alone = [image_processor([[image]], return_tensors="np")["pixel_values"][0] for image in images]
    assert np.array_equal(np.concatenate(alone), inputs["pixel_values"][0].numpy())
    assert inputs["pixel_attention_mask"].all()  # tiles are of one size: nothing is padded
    prompt_ids = inputs["input_ids"][0].tolist()
    answered = tokenizer.apply_chat_template(
        [*messages, {"role": "assistant", "content": [{"type": "text", "text": case["completion"]}]}], tokenize=False)
    completion_ids = tokenizer(answered.removeprefix(prompt).removesuffix("\n"), add_special_tokens=False)["input_ids"]
    assert completion_ids[-1] == tokenizer.convert_tokens_to_ids("<end_of_utterance>")
    ids = torch.tensor([prompt_ids + completion_ids])

    patch, scale = case["vision"]["patch_size"], case["scale"]
    side = alone[0].shape[-1] // patch
    tensors = {"pixel_values": torch.from_numpy(as_patches(inputs["pixel_values"][0].numpy(), patch, scale))}
    hooks = record_hidden_states(model, tensors, merge_order(side, scale))
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=inputs["pixel_values"],
                   pixel_attention_mask=inputs["pixel_attention_mask"], use_cache=False).logits[0]
    for hook in hooks:
        hook.remove()
    loss = torch.nn.functional.cross_entropy(logits[len(prompt_ids) - 1 : -1], torch.tensor(completion_ids))
    loss.backward()
    tensors["logits"] = logits

    saved = load_file(folder / "checkpoint/model.safetensors")
    parameters = dict(model.named_parameters())  # a tied weight comes once
    assert parameters.keys() == saved.keys(), parameters.keys() ^ saved.keys()
    for name, parameter in parameters.items():
        assert torch.equal(parameter, saved[name]), name
        assert parameter.grad.abs().max() > 0, name
        tensors[f"grad.{name}"] = parameter.grad
    save_file({name: tensor.detach().float().contiguous().clone() for name, tensor in tensors.items()}, folder / "golden.safetensors")
    grids = [[len(tiles), side, side] for tiles in alone]
    write_json(folder / "golden.json", {
        "versions": versions(), "messages": messages, "prompt": prompt, "prompt_ids": prompt_ids, "image_grid_thw": grids,
        "position_ids": [list(range(ids.shape[1]))], "completion": case["completion"], "completion_ids": completion_ids,
        "loss": loss.item()})
    print(f"{folder.name}: {len(prompt_ids)} + {len(completion_ids)} tokens, grids {grids}, loss {loss.item():.4f}, "
          f"{sum(p.numel() for p in parameters.values())} parameters")


def tokens_per_tile(case):
    return (case["processing"]["max_image_size"]["longest_edge"] // case["vision"]["patch_size"] // case["scale"]) ** 2


def build_processor(family, image_processor, tokenizer, image_seq_len):
    options = dict(image_seq_len=image_seq_len, chat_template=tokenizer.chat_template)
    if family["processor"] is SmolVLMProcessor:
        return WithoutVideo(image_processor, tokenizer, None, **options)
    return Idefics3Processor(image_processor, tokenizer, **options)


def build_messages(case):
    """The case's turns with `type` and `path` or `text`; the n-th "<image>" is the n-th image."""
    files = iter([file for file, *_ in case["images"]])
    user = [{"type": "image", "path": next(files)} if part == "<image>" else {"type": "text", "text": part} for part in case["user"]]
    system = [{"role": "system", "content": [{"type": "text", "text": case["system"]}]}] if "system" in case else []
    return [*system, {"role": "user", "content": user}]


def build_model(case, family, tokenizer):
    ids = tokenizer.convert_tokens_to_ids
    head_dim = {} if case["head_dim"] is None else {"head_dim": case["head_dim"]}
    config = family["config"](
        text_config=dict(
            model_type="llama", hidden_size=case["width"], num_hidden_layers=2, num_attention_heads=case["heads"],
            num_key_value_heads=case["kv_heads"], intermediate_size=case["intermediate"], vocab_size=len(tokenizer) + 6,
            max_position_embeddings=512, rms_norm_eps=1e-5, rope_parameters=case["rope"], tie_word_embeddings=case["tied"],
            bos_token_id=ids(tokenizer.bos_token), eos_token_id=ids(tokenizer.eos_token), **head_dim),
        vision_config=dict(num_hidden_layers=2, **case["vision"]),
        image_token_id=ids("<image>"), scale_factor=case["scale"], tie_word_embeddings=case["tied"])
    model = family["model"](config)
    model.generation_config.update(
        eos_token_id=ids(family["stops"]), pad_token_id=ids(tokenizer.pad_token))
    generator = torch.Generator().manual_seed(case["seed"])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("bias"):
                parameter.copy_(0.1 * noise)
            elif parameter.dim() == 1:  # norms
                parameter.copy_(1 + 0.1 * noise)
            else:  # large enough that a wrong term shows; many correlated pixels enter the patch embedding
                parameter.copy_((0.06 if "patch_embedding" in name else 0.2) * noise)
    return model


def save_checkpoint(folder, model, tokenizer, image_processor):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    image_processor.save_pretrained(folder)


def merge_order(side, scale):
    """Indices of row-major patches [side x side] such that the scale x scale patches of a token follow each other."""
    return np.arange(side * side).reshape(side // scale, scale, side // scale, scale).transpose(0, 2, 1, 3).reshape(-1)


def as_patches(tiles, patch, scale):
    """[tiles, 3, H, W] to [tiles x patches, 3 x patch x patch] in merge order; a rest that fills no patch is dropped."""
    count, channels, side = len(tiles), tiles.shape[1], tiles.shape[-1] // patch
    cut = tiles[:, :, : side * patch, : side * patch].reshape(count, channels, side, patch, side, patch)
    patches = cut.transpose(0, 2, 4, 1, 3, 5).reshape(count, side * side, channels * patch * patch)
    return np.ascontiguousarray(patches[:, merge_order(side, scale)].reshape(count * side * side, -1))


def record_hidden_states(model, into, order):
    def stack(prefix, blocks, flatten):
        def enter(_module, args, kwargs):
            into[f"{prefix}.hidden.0"] = flatten(args[0] if args else kwargs["hidden_states"])

        yield blocks[0].register_forward_pre_hook(enter, with_kwargs=True)
        for i, block in enumerate(blocks):
            yield output_hook(block, f"{prefix}.hidden.{i + 1}", flatten)

    def output_hook(module, name, flatten):
        def leave(_module, _args, output):
            into[name] = flatten(output)

        return module.register_forward_hook(leave)

    def in_order(hidden):  # [tiles, patches, D] -> [tiles x patches, D]
        return hidden[:, order].flatten(0, 1)

    def first(hidden):  # [1, T, D] -> [T, D]
        return hidden[0]

    vision, language = model.model.vision_model, model.model.text_model
    return [*stack("vision", vision.encoder.layers, in_order), output_hook(model.model.connector, "vision.output", lambda y: y.flatten(0, 1)),
            *stack("language", language.layers, first), output_hook(language.norm, "language.norm", first)]


def write_old_layout(folder, checkpoint):
    """rope_theta beside rope_scaling and torch_dtype, as in the files of transformers 4; defaults of the tower left out."""
    new = json.loads((checkpoint / "config.json").read_text())
    text, vision = dict(new["text_config"]), dict(new["vision_config"])
    rope = text.pop("rope_parameters")
    text.update(rope_theta=rope.pop("rope_theta"), rope_scaling=rope, torch_dtype="float32", use_resampler=False, qk_layer_norms=False)
    dropped = {key: vision.pop(key) for key in ("hidden_act", "layer_norm_eps", "num_channels", "initializer_range")}
    vision.update(model_type="idefics3", tie_word_embeddings=False, size={"longest_edge": 80}, max_image_size={"longest_edge": 32})
    old = {**{key: value for key, value in new.items() if key not in ("dtype", "_pad_token_id")}, "text_config": text, "vision_config": vision,
           "pad_token_id": 128002, "torch_dtype": "float32", "transformers_version": "4.46.0"}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(old, indent=2) + "\n")
    a, b = (Idefics3Config.from_pretrained(path) for path in (folder, checkpoint))
    assert a.text_config.rope_parameters == b.text_config.rope_parameters
    for key in ("hidden_size", "head_dim", "rms_norm_eps", "num_key_value_heads", "vocab_size", "max_position_embeddings"):
        assert getattr(a.text_config, key) == getattr(b.text_config, key), key
    for key in (*dropped, "hidden_size", "image_size", "patch_size", "intermediate_size", "num_hidden_layers"):
        assert getattr(a.vision_config, key) == getattr(b.vision_config, key), key


def write_positions(path):
    from transformers.models.idefics3.modeling_idefics3 import Idefics3VisionConfig, Idefics3VisionEmbeddings

    cases = []
    for per_side, height, width in [(4, 4, 4), (4, 2, 6), (5, 3, 4), (7, 4, 4), (10, 6, 6), (26, 26, 26), (27, 26, 26), (32, 32, 32), (32, 31, 33),
                                    (49, 49, 49), (70, 26, 36), (6, 49, 10), (41, 43, 47), (1, 2, 3)]:
        embeddings = Idefics3VisionEmbeddings(Idefics3VisionConfig(hidden_size=1, image_size=per_side, patch_size=1))
        with torch.no_grad():
            embeddings.patch_embedding.weight.zero_()
            embeddings.patch_embedding.bias.zero_()
            embeddings.position_embedding.weight.copy_(torch.arange(per_side**2)[:, None])
            ids = embeddings(torch.zeros(1, 3, height, width), torch.ones(1, height, width, dtype=torch.bool))
        ids = ids[0, :, 0].int().numpy().reshape(height, width)
        rows, columns = ids[:, 0] // per_side, ids[0] % per_side
        assert np.array_equal(ids, rows[:, None] * per_side + columns)
        cases.append({"per_side": per_side, "rows": rows.tolist(), "columns": columns.tolist()})
    write_json(path, {"versions": versions(), "cases": cases})


def write_images(path, files):
    rows = []
    for folder, file, settings in files:
        decoded = np.asarray(load_image(str(folder / file)))
        for setting in settings:
            options = dict(SETTINGS[setting])
            patch, scale = options.pop("patch"), options.pop("scale")
            result = [cls(**options)([[Image.fromarray(decoded)]], return_tensors="np", return_row_col_info=True)
                      for cls in (Idefics3ImageProcessorPil, SmolVLMImageProcessorPil)]
            assert np.array_equal(result[0]["pixel_values"], result[1]["pixel_values"])
            tiles = result[0]["pixel_values"][0].astype(np.float32)
            patches = as_patches(tiles, patch, scale)
            side = tiles.shape[-1] // patch
            rows.append({"file": file, "setting": setting, "options": options, "patch": patch, "scale": scale,
                         "decoded": hashlib.sha256(decoded.tobytes()).hexdigest(), "rows": result[0]["rows"][0][0],
                         "columns": result[0]["cols"][0][0], "grid": [len(tiles), side, side],
                         "patches": hashlib.sha256(patches.tobytes()).hexdigest()})
    lines = ",\n".join(f"    {json.dumps(row)}" for row in rows)
    path.write_text(f'{{\n  "versions": {json.dumps(versions())},\n  "cases": [\n{lines}\n  ]\n}}\n')
    print(f"{path.name}: {len(rows)} cases")


if __name__ == "__main__":
    main()

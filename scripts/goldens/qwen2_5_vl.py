"""Writes tiny random Qwen2.5-VL checkpoints with what transformers computes from them; scripts/goldens/qwen_vl.py says what.

usage: python scripts/goldens/qwen2_5_vl.py test/golden/qwen2_5_vl --template CHAT_TEMPLATE.jinja
"""

from qwen_vl import Family, flat_name, flat_old_config, token_options, write_family  # first: it takes the Hub offline
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor
from transformers.vision_utils import get_vision_window_index


# Windows of 2 x 2 and of 3 x 3 image tokens: the images fill some and are cut off in others; "narrow" has one row of windows.
CASES = {
    "windows_tied": dict(
        seed=11, width=32, heads=4, kv_heads=2, intermediate=48, tied=True, rope_theta=1e6, mrope=[2, 1, 1],
        vision=dict(depth=3, hidden_size=16, num_heads=2, intermediate_size=40, window_size=56, fullatt_block_indexes=[1]),
        pixels=(28 * 28 * 10, 28 * 28 * 16), images=[("image.png", 85, 137, "RGB")],
        user=["<image>", "Is there a fracture in this image? Answer yes or no."],
        completion="No, there is no fracture in the left lung."),
    "windows_two_images": dict(
        seed=12, width=16, heads=2, kv_heads=1, intermediate=80, tied=False, rope_theta=1e4, mrope=[2, 1, 1],
        vision=dict(depth=2, hidden_size=16, num_heads=2, intermediate_size=44, window_size=84, fullatt_block_indexes=[0]),
        pixels=(28 * 28, 28 * 28 * 12), images=[("narrow.png", 19, 117, "RGB"), ("tall.png", 111, 67, "L")],
        system="Gro\u0308ße 12 mm.",
        user=["First image:", "<image>", " Second image:", "<image>", "Which one shows the larger lesion?"],
        completion="<think>It is grey.</think>\n<answer>the second</answer>"),
}


def build_config(case, ids):
    return Qwen2_5_VLConfig(
        text_config=dict(
            hidden_size=case["width"], num_hidden_layers=2, num_attention_heads=case["heads"], num_key_value_heads=case["kv_heads"],
            intermediate_size=case["intermediate"], vocab_size=400, max_position_embeddings=512, rms_norm_eps=1e-6,
            rope_parameters={"rope_type": "default", "rope_theta": case["rope_theta"], "mrope_section": case["mrope"]},
            bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|im_end|>"]),
        vision_config=dict(out_hidden_size=case["width"], patch_size=14, spatial_merge_size=2, temporal_patch_size=2, tokens_per_second=2,
                           **case["vision"]),
        tie_word_embeddings=case["tied"], **token_options(ids))


def window_index(model, grids):
    vision = model.config.vision_config
    return get_vision_window_index(grids, spatial_merge_size=vision.spatial_merge_size, window_size=vision.window_size,
                                   patch_size=vision.patch_size)[0]


def old_config(new):
    keys = ["depth", "hidden_act", "hidden_size", "intermediate_size", "num_heads", "out_hidden_size", "patch_size",
            "spatial_merge_size", "window_size", "fullatt_block_indexes", "tokens_per_second", "temporal_patch_size"]
    return flat_old_config(new, keys, {"in_chans": "in_channels", "spatial_patch_size": "patch_size"})


FAMILY = Family(model=Qwen2_5_VLForConditionalGeneration, config=Qwen2_5_VLConfig, processor=Qwen2_5_VLProcessor,
                build_config=build_config, saved_name=flat_name, old_config=old_config, mergers=lambda vision: [vision.merger],
                window_index=window_index)

if __name__ == "__main__":
    write_family(FAMILY, CASES, __doc__)

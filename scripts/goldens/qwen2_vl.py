"""Writes tiny random Qwen2-VL checkpoints with what transformers computes from them; scripts/goldens/qwen_vl.py says what.

usage: python scripts/goldens/qwen2_vl.py test/golden/qwen2_vl --template CHAT_TEMPLATE.jinja
"""

from qwen_vl import Family, flat_name, flat_old_config, token_options, write_family  # first: it takes the Hub offline
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLProcessor


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


def build_config(case, ids):
    width = 16 * case["heads"]
    return Qwen2VLConfig(
        text_config=dict(
            hidden_size=width, num_hidden_layers=2, num_attention_heads=case["heads"], num_key_value_heads=case["kv_heads"],
            intermediate_size=case["intermediate"], vocab_size=400, max_position_embeddings=512, rms_norm_eps=1e-6,
            rope_theta=case["rope_theta"], rope_scaling={"type": "mrope", "mrope_section": case["mrope"]},
            tie_word_embeddings=case["tied"], bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|im_end|>"]),
        vision_config=dict(depth=2, hidden_size=width, patch_size=14, spatial_merge_size=2, temporal_patch_size=2, **case["vision"]),
        tie_word_embeddings=case["tied"], **token_options(ids))


def old_config(new):
    keys = ["depth", "embed_dim", "mlp_ratio", "num_heads", "hidden_size", "patch_size", "spatial_merge_size",
            "temporal_patch_size"]
    return flat_old_config(new, keys, {"in_chans": "in_channels", "spatial_patch_size": "patch_size"})


FAMILY = Family(model=Qwen2VLForConditionalGeneration, config=Qwen2VLConfig, processor=Qwen2VLProcessor,
                build_config=build_config, saved_name=flat_name, old_config=old_config, mergers=lambda vision: [vision.merger])

if __name__ == "__main__":
    write_family(FAMILY, CASES, __doc__)

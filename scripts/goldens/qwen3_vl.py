"""Writes tiny random Qwen3-VL checkpoints with what transformers computes from them; scripts/goldens/qwen_vl.py says what.

usage: python scripts/goldens/qwen3_vl.py test/golden/qwen3_vl --template CHAT_TEMPLATE.jinja
"""

from qwen_vl import Family, token_options, write_family  # first: it takes the Hub offline
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor


# The head's size is not width / heads; deepstack takes first and middle blocks, or, out of order, the last and the first.
CASES = {
    "deepstack_tied": dict(
        seed=21, width=24, heads=4, kv_heads=2, head_dim=8, intermediate=48, tied=True, rope_theta=5e6, mrope=[2, 1, 1], bias=False,
        vision=dict(depth=3, hidden_size=16, num_heads=2, intermediate_size=40, num_position_embeddings=25,
                    deepstack_visual_indexes=[0, 1]),
        pixels=(32 * 32 * 6, 32 * 32 * 8), images=[("image.png", 85, 137, "RGB")],
        user=["<image>", "Is there a fracture in this image? Answer yes or no."],
        completion="No, there is no fracture in the left lung."),
    "deepstack_two_images": dict(
        seed=22, width=24, heads=2, kv_heads=1, head_dim=24, intermediate=80, tied=False, rope_theta=1e4, mrope=[4, 4, 4], bias=True,
        vision=dict(depth=3, hidden_size=16, num_heads=2, intermediate_size=44, num_position_embeddings=16,
                    deepstack_visual_indexes=[2, 0]),
        pixels=(32 * 32, 32 * 32 * 6), images=[("narrow.png", 19, 117, "RGB"), ("tall.png", 111, 67, "L")],
        system="Gro\u0308ße 12 mm.",
        user=["First image:", "<image>", " Second image:", "<image>", "Which one shows the larger lesion?"],
        completion="<think>It is grey.</think>\n<answer>the second</answer>"),
}


def build_config(case, ids):
    return Qwen3VLConfig(
        text_config=dict(
            hidden_size=case["width"], num_hidden_layers=3, num_attention_heads=case["heads"], num_key_value_heads=case["kv_heads"],
            head_dim=case["head_dim"], intermediate_size=case["intermediate"], vocab_size=400, max_position_embeddings=512,
            rms_norm_eps=1e-6, attention_bias=case["bias"],
            rope_parameters={"rope_type": "default", "rope_theta": case["rope_theta"], "mrope_section": case["mrope"],
                             "mrope_interleaved": True}),
        vision_config=dict(out_hidden_size=case["width"], patch_size=16, spatial_merge_size=2, temporal_patch_size=2, **case["vision"]),
        tie_word_embeddings=case["tied"], **token_options(ids))


def mergers(vision):
    """The last one first, then those of deepstack in the order in which their blocks run."""
    blocks = vision.deepstack_visual_indexes
    return [vision.merger, *(vision.deepstack_merger_list[blocks.index(block)] for block in sorted(blocks))]


def old_config(new):
    """Nested from the start; rope_scaling beside rope_theta, and a tower without rope_parameters."""
    text = {**new["text_config"], "tie_word_embeddings": new["tie_word_embeddings"]}
    rope = text.pop("rope_parameters")
    vision = {key: value for key, value in new["vision_config"].items() if key != "rope_parameters"}
    return {**new, "transformers_version": "4.57.0.dev0",
            "text_config": {**text, "rope_theta": rope["rope_theta"],
                            "rope_scaling": {"mrope_interleaved": True, "mrope_section": rope["mrope_section"], "rope_type": "default"}},
            "vision_config": {**vision, "model_type": "qwen3_vl"}}


FAMILY = Family(model=Qwen3VLForConditionalGeneration, config=Qwen3VLConfig, processor=Qwen3VLProcessor,
                build_config=build_config, saved_name=lambda name: name, old_config=old_config, mergers=mergers,
                image_processor=dict(patch_size=16, image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5]))

if __name__ == "__main__":
    write_family(FAMILY, CASES, __doc__)

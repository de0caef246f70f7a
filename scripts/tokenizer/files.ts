/** Writes a trained tokenizer as Hugging Face files, with Qwen2's normaliser, pre-tokenizer and decoder. */
import { readFileSync } from "node:fs";
import type { BytePairs } from "./bpe.ts";

/** Numbered after the trained tokens, in this order. */
export const SPECIAL_TOKENS = [
  "<|endoftext|>",
  "<|im_start|>",
  "<|im_end|>",
  "<|vision_start|>",
  "<|vision_end|>",
  "<|vision_pad|>",
  "<|image_pad|>",
  "<|video_pad|>",
] as const;

const PRE_TOKEN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };

/** tokenizer.json. */
export function tokenizerJson({ tokens, merges }: BytePairs): object {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content, i) => ({
      id: tokens.length + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: PRE_TOKEN }, behavior: "Isolated", invert: false },
        BYTE_LEVEL,
      ],
    },
    post_processor: BYTE_LEVEL,
    decoder: BYTE_LEVEL,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: merges.map(([left, right]) => `${left} ${right}`), // every version reads a list of strings
    },
  };
}

/** tokenizer_config.json, for transformers 4 and 5. */
export function tokenizerConfig(maxLength: number): object {
  return {
    add_bos_token: false,
    add_prefix_space: false,
    additional_special_tokens: SPECIAL_TOKENS.slice(1),
    bos_token: null,
    chat_template: chatTemplate(),
    clean_up_tokenization_spaces: false,
    eos_token: "<|im_end|>",
    errors: "replace",
    model_max_length: maxLength,
    pad_token: "<|endoftext|>",
    split_special_tokens: false,
    tokenizer_class: "Qwen2Tokenizer",
    unk_token: null,
  };
}

/** Qwen2-VL's turns and image markers, without the default system message of its template. */
export function chatTemplate(): string {
  return readFileSync(new URL("chat_template.jinja", import.meta.url), "utf8");
}

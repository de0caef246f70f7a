/**
 * The fields of chat requests that are not read: those that change no answer, and those that would change it, with the
 * values by which they ask for nothing. Names are OpenAI's, and those that vLLM, SGLang and llama.cpp add.
 */

/** Fields that change no answer, whatever they hold. */
export const IGNORED: ReadonlySet<string> = new Set([
  "user",
  "metadata",
  "store",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "parallel_tool_calls",
  // of other servers: where and when a request is computed
  "priority",
  "request_id",
  "cache_salt",
  "cache_prompt",
  "id_slot",
  // blanks between special tokens, which are left out of every text
  "spaces_between_special_tokens",
]);

/** Fields that are not supported, with the values, as JSON, that ask for nothing. */
export const NEUTRAL: Readonly<Record<string, readonly string[]>> = {
  audio: [],
  frequency_penalty: ["0"],
  function_call: ['"none"', '"auto"'],
  functions: ["[]"],
  logit_bias: ["{}"],
  modalities: ['["text"]'],
  prediction: [],
  presence_penalty: ["0"],
  reasoning_effort: ['"none"'],
  response_format: ['{"type":"text"}'],
  verbosity: ['"medium"'],
  web_search_options: [],
  // samplers of other servers
  best_of: ["1"],
  dry_multiplier: ["0"],
  dynatemp_range: ["0"],
  early_stopping: ["false"],
  encoder_repetition_penalty: ["1"],
  epsilon_cutoff: ["0"],
  eta_cutoff: ["0"],
  ignore_eos: ["false"],
  length_penalty: ["1"],
  logits_processors: ["[]"],
  min_p: ["0"],
  min_tokens: ["0"],
  mirostat: ["0"],
  mirostat_mode: ["0"],
  n_probs: ["0"],
  no_repeat_ngram_size: ["0"],
  num_beams: ["1"],
  penalty_alpha: ["0"],
  repeat_penalty: ["1"],
  repetition_penalty: ["1"],
  smoothing_factor: ["0"],
  tfs_z: ["1"],
  top_a: ["0"],
  top_k: ["0", "-1"],
  top_n_sigma: ["0", "-1"],
  typical_p: ["1"],
  use_beam_search: ["false"],
  xtc_probability: ["0"],
  // what goes in and comes out
  add_generation_prompt: ["true"],
  add_special_tokens: ["false"],
  bad_words: ["[]"],
  chat_template_kwargs: ["{}"],
  continue_final_message: ["false"],
  documents: ["[]"],
  echo: ["false"],
  include_stop_str_in_output: ["false"],
  mm_processor_kwargs: ["{}"],
  return_token_ids: ["false"],
  return_tokens_as_token_ids: ["false"],
  skip_special_tokens: ["true"],
  stop_token_ids: ["[]"],
};

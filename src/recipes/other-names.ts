/** What other trainers call keys that a recipe spells otherwise, by trainer; TRL's names, which most of them take over, come first. */
import { trlCounterparts } from "./trl-names.ts";

/** Keys of the same place, the first that is known there counts, or a whole path, or a command's option; none: nothing to set. */
type Counterparts = Readonly<Record<string, readonly string[]>>;

/** Names that need no setting here. */
const none = (...names: readonly string[]): Counterparts => Object.fromEntries(names.map((name) => [name, []]));

/** The YAML of LLaMA-Factory 0.9 (its examples folder). */
const llamaFactory: Counterparts = {
  stage: ["kind", "stages"],
  finetuning_type: ["lora", "model.lora"],
  lora_rank: ["r", "model.lora.r"],
  lora_target: ["target_modules", "model.lora.target_modules"],
  adapter_name_or_path: ["path", "model.path"],
  quantization_bit: ["quantize_frozen", "model.quantize_frozen"],
  train_from_scratch: ["init", "model.init"],
  freeze_vision_tower: ["freeze", "model.freeze"],
  freeze_multi_modal_projector: ["freeze", "model.freeze"],
  freeze_language_model: ["freeze", "model.freeze"],
  image_max_pixels: ["max_pixels", "image.max_pixels"],
  image_min_pixels: ["min_pixels", "image.min_pixels"],
  dataset: ["train", "data.train"],
  dataset_dir: ["path", "data.train.path"],
  media_dir: ["path", "data.train.path"],
  max_samples: ["limit", "data.train.limit"],
  cutoff_len: ["on_too_long", "data.on_too_long"],
  val_size: ["eval", "data.eval"],
  pref_beta: ["beta"],
  ...none("do_train", "do_eval", "do_predict", "template", "overwrite_cache", "overwrite_output_dir", "plot_loss"),
  ...none("preprocessing_num_workers", "ddp_timeout", "save_only_model", "flash_attn", "video_max_pixels"),
};

/** The command line of ms-swift 3 (its page "Command Line Parameters"). */
const msSwift: Counterparts = {
  train_type: ["lora", "model.lora"],
  tuner_type: ["lora", "model.lora"],
  rlhf_type: ["kind", "stages"],
  adapters: ["path", "model.path"],
  quant_bits: ["quantize_frozen", "model.quantize_frozen"],
  freeze_vit: ["freeze", "model.freeze"],
  freeze_llm: ["freeze", "model.freeze"],
  freeze_aligner: ["freeze", "model.freeze"],
  val_dataset: ["eval", "data.eval"],
  split_dataset_ratio: ["eval", "data.eval"],
  truncation_strategy: ["on_too_long", "data.on_too_long"],
  external_plugins: ["rewards"],
  system: ["prompt"],
  ...none("attn_impl", "model_type", "use_hf", "lazy_tokenize", "padding_free", "load_from_cache_file", "sleep_level"),
};

/** verl 0.4's ppo_trainer.yaml (examples/grpo_trainer): its sections, and the last words of its keys. */
const verl: Counterparts = {
  actor_rollout_ref: ["stages"],
  algorithm: ["stages"],
  trainer: ["stages"],
  reward_model: ["rewards"],
  custom_reward_function: ["rewards"],
  train_files: ["train", "data.train.path"],
  val_files: ["eval", "data.eval.path"],
  filter_overlong_prompts: ["on_too_long", "data.on_too_long"],
  truncation: ["on_too_long", "data.on_too_long"],
  max_response_length: ["max_completion_length"],
  n: ["num_generations"],
  rollout_n: ["num_generations"],
  adv_estimator: ["kind", "stages"],
  norm_adv_by_std_in_grpo: ["scale_rewards"],
  use_kl_loss: ["beta"],
  use_kl_in_reward: ["beta"],
  kl_loss_coef: ["beta"],
  kl_loss_type: ["kl_estimator"],
  kl_penalty: ["kl_estimator"],
  entropy_coeff: ["entropy_coef"],
  clip_ratio: ["epsilon"],
  clip_ratio_low: ["epsilon"],
  clip_ratio_high: ["epsilon_high"],
  grad_clip: ["max_grad_norm"],
  loss_agg_mode: ["loss_type"],
  ppo_epochs: ["num_iterations"],
  ppo_mini_batch_size: ["steps_per_generation"],
  ppo_micro_batch_size_per_gpu: ["engine.micro_batch_tokens"],
  ppo_max_token_len_per_gpu: ["engine.micro_batch_tokens"],
  enable_gradient_checkpointing: ["engine.activation_memory_gb"],
  total_epochs: ["epochs", "steps"],
  total_training_steps: ["steps"],
  save_freq: ["every", "checkpoint.every"],
  max_actor_ckpt_to_keep: ["keep", "checkpoint.keep"],
  test_freq: ["every", "evaluate.every"],
  val_before_train: ["at_start", "evaluate.at_start"],
  experiment_name: ["name"],
  project_name: ["track"],
  logger: ["track"],
  default_local_dir: ["--run"],
  resume_mode: ["--resume"],
  ...none("n_gpus_per_node", "nnodes", "critic", "critic_warmup", "tensor_model_parallel_size"),
  ...none("gpu_memory_utilization", "param_offload", "use_remove_padding", "reward_manager", "enforce_eager"),
};

/** The arguments of open-instruct's grpo_fast.py and finetune.py. */
const openInstruct: Counterparts = {
  num_samples_per_prompt_rollout: ["num_generations"],
  num_unique_prompts_rollout: ["prompts_per_step"],
  response_length: ["max_completion_length"],
  max_prompt_token_length: ["on_too_long", "data.on_too_long"],
  max_token_length: ["on_too_long", "data.on_too_long"],
  max_seq_length: ["on_too_long", "data.on_too_long"],
  total_episodes: ["steps"],
  num_training_steps: ["steps"],
  num_mini_batches: ["steps_per_generation"],
  clip_lower: ["epsilon"],
  clip_higher: ["epsilon_high"],
  advantage_normalization_type: ["scale_rewards"],
  masked_mean_axis: ["loss_type"],
  apply_verifiable_reward: ["rewards"],
  apply_r1_style_format_reward: ["rewards"],
  dataset_mixer_list: ["train", "data.train"],
  dataset_mixer_list_splits: ["split", "data.train.split"],
  dataset_mixer_eval_list: ["eval", "data.eval"],
  dataset_mixer_eval_list_splits: ["split", "data.eval.split"],
  local_eval_every: ["every", "evaluate.every"],
  keep_last_n_checkpoints: ["keep", "checkpoint.keep"],
  exp_name: ["name"],
  system_prompt_override_file: ["prompt"],
  with_tracking: ["track"],
  ...none("pack_length", "deepspeed_stage", "num_learners_per_node", "vllm_tensor_parallel_size", "single_gpu_mode"),
  ...none("vllm_num_engines", "vllm_sync_backend", "vllm_enforce_eager", "chat_template_name", "stop_strings"),
};

/** By trainer. */
export const otherNames: Readonly<Record<string, Counterparts>> = {
  TRL: trlCounterparts,
  "LLaMA-Factory": llamaFactory,
  "ms-swift": msSwift,
  verl,
  "open-instruct": openInstruct,
};

/** What to say of a key by another trainer's name, where `known` are the keys of its place; null for a name of none of them. */
export function otherAdvice(name: string, known: readonly string[]): string | null {
  const [trainer, table] = Object.entries(otherNames).find(([, names]) => Object.hasOwn(names, name)) ?? [];
  if (table === undefined) return null;
  const found = table[name]!;
  if (found.length === 0) return `${trainer}'s ${name} has no counterpart here: leave it out`;
  const elsewhere = found.find((key) => key.startsWith("--") || key.includes("."));
  const key = found.find((own) => known.includes(own)) ?? elsewhere;
  return `did you mean ${key ?? `${found[0]} of a stage`}?`;
}

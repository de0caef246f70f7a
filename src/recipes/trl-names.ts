/**
 * What TRL calls keys that a recipe spells otherwise: fields of TRL 1.16's SFTConfig, GRPOConfig, RLOOConfig, DPOConfig,
 * ModelConfig and ScriptArguments with those of transformers' TrainingArguments below them, and the short forms that people
 * write. Most keys bear TRL's own names and need no line here.
 */

/**
 * The counterparts of a name: keys of the same place, the first that is known there counts, or a whole path, or a command's
 * option. None where there is nothing to set.
 */
export const trlCounterparts: Readonly<Record<string, readonly string[]>> = {
  // a stage
  lr: ["learning_rate"],
  max_steps: ["steps"],
  num_train_epochs: ["epochs", "steps"],
  num_epochs: ["epochs", "steps"],
  per_device_train_batch_size: ["batch_size", "prompts_per_step"],
  train_batch_size: ["batch_size", "prompts_per_step"],
  generation_batch_size: ["prompts_per_step"],
  gradient_accumulation_steps: ["engine.micro_batch_tokens"],
  lr_scheduler: ["lr_scheduler_type"],
  warmup_ratio: ["warmup_steps"],
  clip_grad_norm: ["max_grad_norm"],
  max_new_tokens: ["max_completion_length"],
  max_tokens: ["max_completion_length"],
  num_return_sequences: ["num_generations"],
  reward_funcs: ["rewards"],
  reward_weights: ["rewards"],
  entropy_bonus: ["entropy_coef"],
  kl_coef: ["beta"],
  // the model
  model_name_or_path: ["path", "model.path"],
  model_revision: ["revision", "model.revision"],
  use_peft: ["model.lora"],
  peft_config: ["model.lora"],
  lora_r: ["r", "model.lora.r"],
  lora_target_modules: ["target_modules", "model.lora.target_modules"],
  load_in_8bit: ["model.quantize_frozen"],
  load_in_4bit: ["model.quantize_frozen"],
  gradient_checkpointing: ["engine.activation_memory_gb"],
  activation_checkpointing: ["engine.activation_memory_gb"],
  // the data
  dataset_name: ["name", "data.train.name"],
  dataset_train_split: ["data.train.split"],
  dataset_test_split: ["data.eval.split"],
  train_dataset: ["data.train"],
  eval_dataset: ["data.eval"],
  max_prompt_length: ["data.on_too_long"],
  max_length: ["data.on_too_long"],
  // the run
  run_name: ["name"],
  report_to: ["track"],
  data_seed: ["data.train.seed"],
  eval_steps: ["evaluate.every"],
  eval_strategy: ["evaluate.every"],
  eval_on_start: ["evaluate.at_start"],
  save_steps: ["checkpoint.every"],
  save_strategy: ["checkpoint.every"],
  save_total_limit: ["checkpoint.keep"],
  output_dir: ["--run"],
  resume_from_checkpoint: ["--resume"],
  use_cpu: ["engine.device"],
  // nothing to set
  ...Object.fromEntries(
    [
      ...["attn_implementation", "bf16", "dataloader_num_workers", "dataset_num_proc", "deepspeed", "dtype", "fp16"],
      ...["fsdp", "log_completions", "logging_steps", "min_p", "optim", "packing", "per_device_eval_batch_size"],
      ...["push_to_hub", "remove_unused_columns", "repetition_penalty", "tf32", "torch_compile"],
      ...[
        "torch_dtype",
        "trust_remote_code",
        "use_liger_kernel",
        "use_vllm",
        "vllm_gpu_memory_utilization",
        "vllm_mode",
      ],
    ].map((name) => [name, []] as const),
  ),
};

/** What the command line is tested on: a model of 150,000 weights, sixteen films of 56 x 56 pixels, a recipe of eight steps. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { stringify } from "yaml";
import { root } from "./command-line.ts";

const asset = join(root, "assets/viva-tiny");
const companions = [
  "tokenizer.json",
  "tokenizer_config.json",
  "preprocessor_config.json",
  "chat_template.jinja",
  "generation_config.json",
];

/** Writes a model folder without weights: viva-tiny's tokenizer and a small configuration; returns the folder. */
export function writeTinyModel(folder: string, changes: object = {}): string {
  mkdirSync(folder, { recursive: true });
  for (const file of companions) cpSync(join(asset, file), join(folder, file));
  const config = JSON.parse(readFileSync(join(asset, "config.json"), "utf8"));
  const tiny = {
    ...config,
    hidden_size: 64,
    intermediate_size: 128,
    num_hidden_layers: 2,
    max_window_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    rope_scaling: { type: "mrope", mrope_section: [2, 3, 3] },
    vision_config: { ...config.vision_config, depth: 1, embed_dim: 32, hidden_size: 64, num_heads: 2 },
    ...changes,
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(tiny, null, 2));
  return folder;
}

/** One line of a JSONL data set or of a rows file. */
export type Row = Readonly<Record<string, unknown>>;

/** Writes one JSON object a line. */
export function writeRows(file: string, rows: readonly Row[]): string {
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return file;
}

/** Bright or dark films with a yes-or-no question each, as train.jsonl and test.jsonl; returns their folder. */
export async function writeFilms(folder: string, change: (row: Row, i: number) => Row = (row) => row): Promise<string> {
  mkdirSync(join(folder, "images"), { recursive: true });
  const rows: Row[] = [];
  for (let i = 0; i < 16; i++) {
    const background = { r: 12 * i, g: 12 * i, b: 8 * i };
    const film = sharp({ create: { width: 56, height: 56, channels: 3, background } });
    await film.jpeg().toFile(join(folder, "images", `${i}.jpg`));
    const question = i % 2 === 0 ? "Is the film bright?" : "Is it dark?";
    const answer = i >= 8 === (i % 2 === 0) ? "yes" : "no";
    rows.push({ id: `film-${i}`, image: `images/${i}.jpg`, question, answer, subject: `patient-${i}` });
  }
  writeRows(join(folder, "train.jsonl"), rows.slice(0, 12).map(change));
  writeRows(join(folder, "test.jsonl"), rows.slice(12));
  return folder;
}

/** Cuts a file short by its last 60 bytes, as a broken download does. */
export function truncateFile(path: string): void {
  writeFileSync(path, readFileSync(path).subarray(0, -60));
}

/** What a recipe of the tests may change. */
export interface TinyRecipe {
  readonly model: string;
  readonly data: string;
  readonly seed?: number;
}

/** Four supervised and four reinforcement steps, learning fast enough that answers differ in reward. */
export function tinyRecipe({ model, data, seed = 7 }: TinyRecipe) {
  const optimiser = { learning_rate: 0.03, lr_scheduler_type: "constant" };
  return {
    name: "tiny",
    seed,
    model: { path: model, init: "random" },
    data: {
      train: { name: "jsonl", path: data, split: "train" },
      eval: { name: "jsonl", path: data, split: "test" },
    },
    prompt: "plain",
    stages: [
      { kind: "sft", steps: 4, batch_size: 8, ...optimiser },
      {
        kind: "grpo",
        steps: 4,
        prompts_per_step: 2,
        num_generations: 4,
        max_completion_length: 4,
        beta: 0.05,
        num_iterations: 2,
        steps_per_generation: 2,
        filter_groups: { max_resample: 2 },
        rewards: { accuracy: 1 },
        ...optimiser,
        learning_rate: 0.003,
      },
    ],
    evaluate: { every: 3 },
    checkpoint: { every: 2 },
  };
}

/** Writes a recipe as YAML. */
export function writeRecipe(file: string, recipe: object): string {
  writeFileSync(file, stringify(recipe));
  return file;
}

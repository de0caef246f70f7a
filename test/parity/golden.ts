/** Reads golden cases written by scripts in scripts/goldens. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ImageFeatures, Message, Prompt } from "../../src/core/records.ts";
import { openSafetensors } from "../../src/io/safetensors.ts";
import type { families } from "../../src/models/index.ts";

/** The folder of each case in test/golden/. */
const folderOf = {
  grouped_tied: "qwen2_vl",
  ungrouped_untied: "qwen2_vl",
  two_images: "qwen2_vl",
  windows_tied: "qwen2_5_vl",
  windows_two_images: "qwen2_5_vl",
  deepstack_tied: "qwen3_vl",
  deepstack_two_images: "qwen3_vl",
  idefics3_split: "idefics3",
  idefics3_whole: "idefics3",
  smolvlm_several: "idefics3",
  smolvlm_fractions: "idefics3",
} as const;

export type CaseName = keyof typeof folderOf;

export const cases = Object.keys(folderOf) as CaseName[];

/** One case per family, the smallest with all the family's parts; a family without a case is a type error. */
const caseOf = {
  qwen2_vl: "grouped_tied",
  qwen2_5_vl: "windows_tied",
  qwen3_vl: "deepstack_tied",
  idefics3: "idefics3_split",
  smolvlm: "smolvlm_several",
} as const satisfies Readonly<Record<keyof typeof families, CaseName>>;

export const caseOfEachFamily = Object.values(caseOf);

export interface GoldenCase {
  readonly folder: string;
  readonly checkpoint: string;
  readonly messages: readonly {
    role: Message["role"];
    content: readonly { type: string; path?: string; text?: string }[];
  }[];
  readonly promptText: string;
  readonly prompt: Prompt;
  readonly completionText: string;
  readonly completion: Int32Array;
  readonly positions: readonly (readonly number[])[];
  readonly loss: number;
  readonly names: readonly string[];
  tensor(name: string): { readonly shape: readonly number[]; readonly data: Float32Array };
}

export function goldenCase(name: CaseName): GoldenCase {
  const folder = fileURLToPath(new URL(`../golden/${folderOf[name]}/${name}/`, import.meta.url));
  const json = JSON.parse(readFileSync(join(folder, "golden.json"), "utf8"));
  const file = openSafetensors(join(folder, "golden.safetensors"));
  const tensor = (key: string) => ({ shape: file.info(key).shape, data: file.readFloat32(key) });
  const pixels = tensor("pixel_values");
  const width = pixels.shape[1]!;
  let offset = 0;
  const images = (json.image_grid_thw as [number, number, number][]).map((grid, i): ImageFeatures => {
    const patches = grid[0] * grid[1] * grid[2];
    offset += patches;
    const own = pixels.data.slice((offset - patches) * width, offset * width);
    return { patches: own, grid, sha256: `${name}/${i}`, width: 0, height: 0 };
  });
  return {
    folder,
    checkpoint: join(folder, "checkpoint"),
    messages: json.messages,
    promptText: json.prompt,
    prompt: { text: json.prompt, tokenIds: Int32Array.from(json.prompt_ids), images },
    completionText: json.completion,
    completion: Int32Array.from(json.completion_ids),
    positions: json.position_ids,
    loss: json.loss,
    names: file.names,
    tensor,
  };
}

/** Largest absolute difference. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= most)) most = difference;
  }
  return most;
}

export function largest(a: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]!));
  return most;
}

/**
 * The scale for differences of a weight's gradients: its largest gradient. A vision tower without rotary embeddings
 * does not depend on the bias of its keys, which shifts all scores of a query equally: that gradient is rounding error
 * only, and a thousandth of this scale is a millionth of the largest gradient of all weights.
 */
export function gradientScale(name: string, own: number, overall: number): number {
  const unfelt = /vision_model\..*k_proj\.bias$/.test(name);
  if (unfelt !== own < 1e-6 * overall) throw new Error(`${name}: a largest gradient of ${own}, overall ${overall}`);
  return unfelt ? 1e-3 * overall : own;
}

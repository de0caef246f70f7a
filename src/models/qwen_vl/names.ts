/**
 * Weight names of the Qwen-VL families. Files carry "model." and "visual." (transformers 4) or "model.language_model." and
 * "model.visual." (transformers 5's module tree); either loads, and a family writes those that its own checkpoints have.
 */

/** How a family's checkpoints on the Hub begin the names of the two parts. */
export interface Prefixes {
  readonly language: string;
  readonly vision: string;
}

export const flatNames: Prefixes = { language: "model.", vision: "visual." };
export const nestedNames: Prefixes = { language: "model.language_model.", vision: "model.visual." };

/** A stored name under the family's prefixes; the stored copy of a tied head has the embedding's. */
export function canonicalName(stored: string, prefixes: Prefixes, tied: boolean): string {
  return tied && stored === "lm_head.weight" ? `${prefixes.language}embed_tokens.weight` : renamed(stored, prefixes);
}

/** The name in transformers' module tree. */
export function moduleName(name: string): string {
  return renamed(name, nestedNames);
}

function renamed(name: string, { language, vision }: Prefixes): string {
  const [, part, local] = /^((?:model\.)?visual\.|model\.(?:language_model\.)?)(.*)$/.exec(name) ?? [];
  if (local === undefined) return name;
  return (part!.endsWith("visual.") ? vision : language) + local;
}

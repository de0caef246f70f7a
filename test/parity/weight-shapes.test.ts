/** Models of real size: names and shapes of all weights as derived by transformers, without allocating any. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { families } from "../../src/models/index.ts";
import type { Model } from "../../src/models/model.ts";

interface Expected {
  readonly model_type: string;
  readonly config: Record<string, unknown> | null;
  /** "#" replaces block numbers: the number of blocks, and the shape of each. */
  readonly weights: Readonly<Record<string, readonly [number, readonly number[]]>>;
}

const { versions: _, ...models }: Record<string, Expected> = JSON.parse(
  readFileSync("test/golden/weight_shapes.json", "utf8"),
);
const configs = "../shared/models/vlm_configs";

/** The model's weights in the golden's compact form. */
function compact(model: Model): Record<string, [number, readonly number[]]> {
  const groups: Record<string, [number, readonly number[]]> = {};
  const seen = new Set<string>();
  for (const [name, { shape }] of Object.entries(model.weights)) {
    const pattern = name.replace(/(blocks|layers|deepstack_merger_list)\.\d+\./, "$1.#.");
    groups[pattern] ??= [0, shape];
    expect(shape, name).toEqual(groups[pattern][1]);
    const at = groups[pattern][0]++;
    seen.add(pattern.replace("#", String(at)));
  }
  expect(seen).toEqual(new Set(Object.keys(model.weights)));
  return groups;
}

describe.each(Object.entries(models))("%s", (name, { model_type, config, weights }) => {
  const path = join(configs, name, "config.json");
  test.skipIf(config === null && !existsSync(path))(`all weights, by name and shape (own config.json: ${path})`, () => {
    const json = config ?? JSON.parse(readFileSync(path, "utf8"));
    const model = families[model_type as keyof typeof families].create(json, path);
    expect(compact(model)).toEqual(weights);
  });
});

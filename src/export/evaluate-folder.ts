/** What a model or adapter folder answers on a recipe's data.eval, asked as the recipe asks: choosing by validation, and results. */

import { decodingOf, type Evaluation, evaluatePolicy, hashImages, hashQuestions } from "../evaluate/index.ts";
import type { Recipe } from "../recipes/schema.ts";
import { evaluationLength } from "../recipes/stage-kinds.ts";
import { openCheckpoint } from "../session/checkpoint.ts";
import { loadEvaluation } from "../session/examples.ts";
import { imageLimits } from "../session/recipe-options.ts";
import { locateRecipe } from "../session/recipe-sources.ts";
import { openVocabulary } from "../session/reward-services.ts";
import type { SourceOptions } from "../session/sources.ts";

export type { Evaluation } from "../evaluate/index.ts";

/** Asks greedily and scores, without baselines; the recipe must name data.eval. */
export async function evaluateFolder(folder: string, recipe: Recipe, o: SourceOptions = {}): Promise<Evaluation> {
  const { local } = await locateRecipe(recipe, o);
  const examples = (await loadEvaluation(local)).examples!;
  const { threads } = recipe.engine;
  const opened = await openCheckpoint(folder, {
    ...o,
    prompt: recipe.prompt,
    imageLimits: imageLimits(recipe),
    engine: "local",
    threads: threads === "auto" ? 0 : threads,
  });
  const { engine, processor, prompt } = opened;
  try {
    const { minPixels = null, maxPixels = null } = imageLimits(recipe);
    const maxCompletionLength = evaluationLength(recipe);
    const hasFacts = examples.some(({ facts }) => facts !== undefined);
    return await evaluatePolicy(engine.policy, examples, {
      ...{ processor, prompt, maxCompletionLength, checkpoint: folder, train: null },
      conditions: {
        questions: { n: examples.length, sha256: hashQuestions(examples) },
        prompt,
        decoding: decodingOf({ maxCompletionLength }),
        images: { sha256: await hashImages(examples), min_pixels: minPixels, max_pixels: maxPixels, tokens: null },
      },
      ...(hasFacts ? { vocabulary: openVocabulary(recipe.vocabulary) } : {}),
      ...(o.signal === undefined ? {} : { signal: o.signal }),
    });
  } finally {
    await engine.close();
  }
}

/** Items and summary as rows, as `viva eval` writes them. */
export function evaluationLines({ items, summary }: Evaluation): string {
  const rows = [...items.map((item) => ({ kind: "item", ...item })), { kind: "summary", ...summary }];
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

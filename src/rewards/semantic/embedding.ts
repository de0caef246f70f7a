/** Semantic alignment by meaning: cosine between the reasoning and the reference under a sentence encoder. */
import { z } from "zod";
import { UserError } from "../../core/errors.ts";
import { defineReward } from "../options.ts";
import type { Reward, RewardContext } from "../reward.ts";
import { givenText, referenceText, textOptions } from "./texts.ts";

const embeddingOptions = z.object({
  /** Folder of the encoder, as sentence-transformers exports it to ONNX. */
  encoder: z.string().min(1),
  ...textOptions,
});

/** In [-1, 1]; null where the example has no reference, 0 where the completion has no such text. */
export const embedding = defineReward("semantic", embeddingOptions, make, ["encoder"]);

async function make(options: z.output<typeof embeddingOptions>, context: RewardContext): Promise<Reward> {
  const { encoder: folder, of, reference } = options;
  const { services, style = "think_answer", thinkOpened } = context;
  if (services === undefined) throw new UserError('reward "semantic": the scorer embedding needs an encoder to run');
  const encoder = await services.openEncoder(folder);
  return {
    name: "semantic",
    range: [-1, 1],
    score: async (example, completions) => {
      const wanted = referenceText(example, reference);
      if (wanted === null || wanted.trim() === "") return completions.map(() => null);
      const given = completions.map(({ text }) => givenText(text, of, { style, thinkOpened })?.text ?? null);
      const texts = [...new Set([wanted, ...given.filter((text) => text !== null)])]; // a group often repeats itself
      const vectors = await encoder.encode(texts);
      const vectorOf = (text: string) => vectors[texts.indexOf(text)]!;
      return given.map((text) => (text === null ? 0 : cosineSimilarity(vectorOf(text), vectorOf(wanted))));
    },
  };
}

/** In [-1, 1]; 0 where a vector is zero. */
function cosineSimilarity(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let ofA = 0;
  let ofB = 0;
  for (const [i, value] of a.entries()) {
    dot += value * b[i]!;
    ofA += value * value;
    ofB += b[i]! * b[i]!;
  }
  return ofA === 0 || ofB === 0 ? 0 : Math.min(1, Math.max(-1, dot / Math.sqrt(ofA * ofB)));
}

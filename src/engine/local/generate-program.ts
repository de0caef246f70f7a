/** The sampling program: prefill of a prompt, or one decode step of many rows, over KV caches that it only reads. */
import { concatDynamic, gather } from "../../compiler/ops/index.ts";
import type { Dim } from "../../compiler/spec.ts";
import { constant, type Program, type Tensor } from "../../compiler/tensor.ts";
import type { TokenStat } from "../../core/records.ts";
import { int32 } from "../../core/tensor-data.ts";
import type { Attend, Model, Stack } from "../../models/model.ts";
import { cachedAttention } from "../../nn/cached-attention.ts";
import { type SamplingVariant, sampleToken, samplingLogProbs, tokenStatistics } from "../../nn/sampling.ts";
import { fusedWeightsOf } from "./fused-weights.ts";
import { addFeatures, float, ints, rotaryInputs, samplingInputs, stemInputs, weightInputs } from "./program-inputs.ts";
import { localWeights } from "./programs.ts";

/**
 * The whole language model over key-value caches: a prompt at once over empty caches, or one token for each of many rows;
 * then one sampled token for each row of "last" (indices into the flat tokens). Layer i's weights are inputs under their
 * whole names, those of fused projections joined. Its caches are "prompt.keys.i" and "prompt.values.i" [groups x keyValueHeads, 1,
 * prompt, headDim], and "past.keys.i" and "past.values.i" [rows x keyValueHeads, 1, past, headDim]; "added" are the new
 * tokens' own, keys and values layer by layer, in one piece. Caches are never outputs: whatever a program returns is copied
 * on its way to JavaScript, and costs time by itself. With `tokens` 1 the program is for one token of each row alone, whose
 * products with itself are numbers and whose transposes move nothing. Each of `stats` is an output under its own name. Without `fused` the projections stay apart.
 */
export function generateProgram(
  model: Model,
  sampling: SamplingVariant,
  tokens: "tokens" | 1 = "tokens",
  stats: readonly TokenStat[] = [],
  fused = true,
): Program {
  const { language } = model;
  const { depth, headDim } = language;
  const { weights, inputs: weightsFed } = weightInputs(model, [
    ...new Set([...language.stemWeights, ...language.headWeights, ...layerWeights(language)]),
  ]);
  const stem = stemInputs(model);
  const context = rotaryInputs(language, "rows", tokens);
  const layout = {
    rowHeadAt: ints("rowHeadAt", "places"),
    placeOf: ints("placeOf", "rowHeads"),
    bias: float("bias", "rows", tokens, "visible"),
  };
  const last = ints("last", "samples");
  const uniform = float("uniform", "samples");
  const t = samplingInputs(model, "samples", 1);
  const caches: Record<string, Tensor> = {};
  const added: Tensor[] = [];
  const cache = (name: string, ...shape: Dim[]) => {
    caches[name] = float(name, ...shape, headDim);
    return caches[name];
  };
  const joined: Record<string, Tensor> = {};
  const weightsOf = (block: number) => {
    const own = localWeights(language, weights, block);
    for (const [local, { shape }] of fused ? fusedWeightsOf(model, block) : []) {
      const name = language.blockPrefix(block) + local;
      joined[name] = float(name, ...shape);
      own[local] = joined[name];
    }
    return own;
  };
  const sampledFrom = (rows: Tensor) => gather(rows, last);
  // After the last block's attention only prompt tokens that are sampled from remain; image features would still arrive
  // for all.
  const endsEarly = tokens !== 1 && depth >= language.featureLevels;
  let x = language.stem(weights, stem);
  for (let i = 0; i < depth; i++) {
    const cached = (kind: "keys" | "values") => ({
      prompt: cache(`prompt.${kind}.${i}`, "groupHeads", 1, "prompt"),
      past: cache(`past.${kind}.${i}`, "rowHeads", 1, "past"),
    });
    const held = { keys: cached("keys"), values: cached("values") };
    const attend: Attend = (query, key, value) => {
      const result = cachedAttention(query, key, value, held, layout);
      added.push(result.keys, result.values);
      return result.output;
    };
    const onward = endsEarly && i === depth - 1 ? { onward: sampledFrom } : {};
    x = language.block(weightsOf(i), x, { ...context, ...onward, attend });
    if (i + 1 < language.featureLevels) {
      x = addFeatures(x, stem.features, stem.imageIndex, constant(int32([], [i + 1])));
    }
  }
  const logits = language.head(weights, endsEarly ? x : sampledFrom(x));
  const logProbs = samplingLogProbs(logits, sampling, t);
  const { token, logProb } = sampleToken(logProbs, sampling, uniform);
  const drawn = { logits, logProbs, tokens: token, variant: sampling, temperature: t.temperature };
  // The caches are never outputs: every output is copied to JavaScript, and costs time of its own.
  return {
    inputs: { ...stem, ...context, ...layout, last, uniform, ...t, ...caches, ...weightsFed, ...joined },
    outputs: {
      token,
      logProb,
      ...Object.fromEntries(stats.map((name) => [name, tokenStatistics[name](drawn)])),
      added: concatDynamic(added, 0, "added"),
    },
  };
}

function layerWeights(stack: Stack): string[] {
  return Array.from({ length: stack.depth }, (_, i) =>
    stack.blockWeights.map((name) => stack.blockPrefix(i) + name),
  ).flat();
}

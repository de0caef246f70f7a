/**
 * Prints a model's program as the engine compiles it, from its configuration alone; with --rewrites, also what each
 * rewrite and the lowering to ONNX do to it. Backward programs train all weights; with --bits the base is quantised and frozen.
 * usage: npx tsx scripts/show-program.ts MODEL_FOLDER KIND [--rewrites] [--bits 4|8]
 */
import { parseArgs } from "node:util";
import { explainRewrites, type Rewrites } from "../src/compiler/explain.ts";
import { formatProgram } from "../src/compiler/format.ts";
import { forSmallBatch, withQuantizedWeights } from "../src/compiler/rewrite.ts";
import type { Program } from "../src/compiler/tensor.ts";
import { generateProgram } from "../src/engine/local/generate-program.ts";
import {
  type BlockKind,
  blockPrograms,
  languageStemProgram,
  scoreProgram,
  visionHeadPrograms,
  visionStemPrograms,
} from "../src/engine/local/programs.ts";
import { openModel } from "../src/models/index.ts";
import type { Model, Stack } from "../src/models/model.ts";
import { withQuantizedBase } from "../src/models/quantize.ts";

/** A program and the rewrites before compilation, by default only `withQuantizedWeights`. */
interface Shown {
  readonly program: Program;
  readonly rewrites?: Rewrites;
}

const blocks = { packed: false, windowed: false, featured: false, adapters: null };
const sampling = { greedy: false, topK: 0, topP: false };

const kinds: Readonly<Record<string, (model: Model) => Shown>> = {
  "vision-stem": (model) => ({ program: visionStemPrograms(model, []).forward }),
  "vision-block": (model) => ({ program: blockOf(model, model.vision, blocks).forward }),
  "vision-block-backward": (model) => backward(model, model.vision, blocks),
  "vision-head": (model) => ({ program: visionHeadPrograms(model, []).forward }),
  "language-stem": (model) => ({ program: languageStemProgram(model) }),
  "language-block": (model) => ({ program: blockOf(model, model.language, { ...blocks, packed: true }).forward }),
  "language-block-backward": (model) => backward(model, model.language, { ...blocks, packed: true }),
  score: (model) => ({ program: scoreProgram(model, sampling) }),
  prefill: (model) => generation(generateProgram(model, sampling)),
  decode: (model) => generation(generateProgram(model, sampling, 1)),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rewrites: { type: "boolean" }, bits: { type: "string" } },
});
const [folder, kind = ""] = positionals;
const { bits } = values;
const shown = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
if (folder === undefined || shown === undefined || (bits !== undefined && bits !== "4" && bits !== "8")) {
  console.error("usage: npx tsx scripts/show-program.ts MODEL_FOLDER KIND [--rewrites] [--bits 4|8]");
  console.error(`kinds: ${Object.keys(kinds).join(", ")}`);
  process.exit(2);
}
const model = openModel(folder);
const { program, rewrites = { withQuantizedWeights } } = shown(
  bits === undefined ? model : withQuantizedBase(model, bits === "4" ? 4 : 8),
);
console.log(formatProgram(program));
if (values.rewrites) console.log(`\n${explainRewrites(program, rewrites)}`);

function blockOf(model: Model, stack: Stack, kind: BlockKind) {
  const trained = stack.blockWeights.filter((name) => {
    return model.weights[stack.blockPrefix(0) + name]!.quantized === undefined;
  });
  return blockPrograms(model, stack, kind, trained);
}

/** The backward program that recomputes the block; as a rewrite, the one that reads saved activations instead. */
function backward(model: Model, stack: Stack, kind: BlockKind): Shown {
  const { backward: program, saving } = blockOf(model, stack, kind);
  return { program, rewrites: { savedActivations: () => saving.backward, withQuantizedWeights } };
}

function generation(program: Program): Shown {
  return { program, rewrites: { withQuantizedWeights, forSmallBatch } };
}

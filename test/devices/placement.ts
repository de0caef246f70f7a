/**
 * Opens sessions of a golden model's programs on the device named by the argument, whose log tells on stderr where each operator
 * runs; the name of each program comes before. With all weights trained, and with adapters on an int8 base.
 */
import * as ort from "onnxruntime-node";
import { plainVariant } from "../../src/algorithms/algorithm.ts";
import { lower } from "../../src/compiler/onnx/lower.ts";
import { withQuantizedWeights } from "../../src/compiler/rewrite.ts";
import type { Program } from "../../src/compiler/tensor.ts";
import type { Device } from "../../src/core/device.ts";
import { generateProgram } from "../../src/engine/local/generate-program.ts";
import {
  blockPrograms,
  languageStemProgram,
  lossProgram,
  visionHeadPrograms,
  visionStemPrograms,
} from "../../src/engine/local/programs.ts";
import { openModel } from "../../src/models/index.ts";
import { isAdapterWeight, withLora } from "../../src/models/lora.ts";
import type { Model } from "../../src/models/model.ts";
import { withQuantizedBase } from "../../src/models/quantize.ts";
import { programOn } from "../../src/runtime/create-session.ts";
import { goldenCase } from "../parity/golden.ts";

const device = process.argv[2] as Device;
const base = openModel(goldenCase("grouped_tied").checkpoint);
const adapted = withLora(withQuantizedBase(base, 8), { r: 2, lora_alpha: 4, target_modules: "all-linear" });

function programsOf(model: Model, isTrained: (name: string) => boolean): Readonly<Record<string, Program>> {
  const kind = { packed: false, windowed: false, featured: false, adapters: null };
  const { language, vision } = model;
  const trained = (names: readonly string[]) => names.filter(isTrained);
  const text = blockPrograms(model, language, { ...kind, packed: true }, trained(language.blockWeights));
  const image = blockPrograms(model, vision, kind, trained(vision.blockWeights));
  const sampling = { greedy: "some", topK: 20, topP: true } as const;
  const generate = (tokens: 1 | "tokens") =>
    withQuantizedWeights(generateProgram(model, sampling, tokens, ["entropy"], false), "fed");
  return {
    ...{ stem: languageStemProgram(model), forward: text.saving.forward, backward: text.saving.backward },
    ...{ imageStem: visionStemPrograms(model, []).forward, imageForward: image.forward },
    ...{ imageBackward: image.backward, imageHead: visionHeadPrograms(model, trained(vision.headWeights)).backward },
    loss: lossProgram(model, sampling, "clip", plainVariant, trained(language.headWeights)),
    ...{ prompt: generate("tokens"), token: generate(1) },
  };
}

const all = { full: programsOf(base, () => true), int8: programsOf(adapted, isAdapterWeight) };
for (const [trained, programs] of Object.entries(all)) {
  for (const [name, program] of Object.entries(programs)) {
    process.stderr.write(`PROGRAM ${trained} ${name}\n`);
    const { model, external } = lower(programOn(device, withQuantizedWeights(program)));
    const options = { externalData: [...external], executionProviders: [device], logSeverityLevel: 0 } as const;
    await (await ort.InferenceSession.create(model, { ...options, graphOptimizationLevel: "all" })).release();
  }
}

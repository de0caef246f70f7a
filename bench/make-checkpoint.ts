/**
 * Writes a checkpoint with a real model's shapes and random weights, sharded bfloat16, for speed and memory measurements
 * where the model itself is unavailable.
 * usage: npx tsx bench/make-checkpoint.ts CONFIG_FOLDER TOKENIZER_FOLDER CHAT_TEMPLATE OUT
 */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { sizeOf } from "../src/core/tensor-data.ts";
import { saveWeights } from "../src/io/weights.ts";
import { openModel } from "../src/models/index.ts";
import type { WeightSpec } from "../src/models/model.ts";

const [configs, tokenizer, template, out] = process.argv.slice(2);
if (out === undefined) {
  console.error("usage: npx tsx bench/make-checkpoint.ts CONFIG_FOLDER TOKENIZER_FOLDER CHAT_TEMPLATE OUT");
  process.exit(2);
}
mkdirSync(out, { recursive: true });
for (const file of ["config.json", "preprocessor_config.json"]) copyFileSync(join(configs!, file), join(out, file));
for (const file of ["tokenizer.json", "tokenizer_config.json"]) copyFileSync(join(tokenizer!, file), join(out, file));
copyFileSync(template!, join(out, "chat_template.jinja"));
const model = openModel(out);
const endOfTurn = 151645; // <|im_end|> of the Qwen2 tokenizer
writeFileSync(join(out, "generation_config.json"), JSON.stringify({ eos_token_id: [endOfTurn, 151643] }));

let state = 0x9e3779b9;
const started = performance.now();
const tensors = Object.entries(model.weights).map(([name, spec]) => ({
  name,
  shape: spec.shape,
  // Generated when it is written: the whole model is never in memory.
  get data() {
    return values(spec);
  },
}));
saveWeights(out, tensors, { dtype: "BF16", maxShardBytes: 2e9 });
const parameters = Object.values(model.weights).reduce((total, { shape }) => total + sizeOf(shape), 0);
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(`${basename(out)}: ${parameters} parameters of ${model.modelType}, written in ${seconds} s`);

/** Uniform values with the standard deviation of the model's initialisation. */
function values({ shape, initialiser }: WeightSpec): Float32Array {
  const data = new Float32Array(sizeOf(shape));
  if (initialiser.kind === "ones") return data.fill(1);
  const bound = initialiser.kind === "uniform" ? initialiser.bound : 0;
  const limit = initialiser.kind === "normal" ? initialiser.std * Math.sqrt(3) : bound;
  if (limit === 0) return data;
  for (let i = 0; i < data.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    data[i] = (state / 2 ** 31) * limit;
  }
  return data;
}

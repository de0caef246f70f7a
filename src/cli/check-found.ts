/** What viva check found, for a reader. */
import { alignColumns } from "../core/text-table.ts";
import { describeOverlap } from "../data/index.ts";
import type { RecipeCheck } from "../pipeline/check-schema.ts";
import { describeDoubts } from "../session/preflight.ts";
import { formatSamples } from "./check-samples.ts";

/** A table of what was found with the verdict at its end, then the samples. */
export function formatCheck(found: RecipeCheck): string {
  const { recipe, model, data, memory } = found;
  const rows: (readonly [string, string])[] = [
    ["recipe", recipe],
    ["model", describeModel(model)],
    ...data.flatMap(describeData),
    ...(data.some((each) => each.data === "data.eval") ? [] : [["data.eval", "none: nothing is evaluated"] as const]),
    ...(found.overlap === null ? [] : [describeShared(found.overlap)]),
    ...found.stages.map(describeStage),
    ["steps", String(found.steps)],
    ...(memory === null ? [] : describeMemory(memory)),
    ...describeEngine(found.engine),
    ["verdict", verdict(found)],
  ];
  const table = alignColumns(rows).join("\n");
  return found.samples === null ? table : `${table}\n\n${formatSamples(found.samples)}`;
}

function describeEngine(engine: RecipeCheck["engine"]): (readonly [string, string])[] {
  if (engine === null) return [];
  const { url, base_model, probe_s, honours: _, cannot: __, lora: ___, ...does } = engine.record;
  const found = Object.entries(does).map(
    ([key, value]) => `${key} ${typeof value === "number" ? digits(value) : value}`,
  );
  return [
    ["engine", `${base_model} on ${url}, tried for ${digits(Number(probe_s))} s`],
    ["", found.join(", ")],
    ...engine.notices.map((notice) => ["", notice] as const),
    ...engine.refused.map((refusal) => ["cannot do", refusal] as const),
  ];
}

const digits = (value: number) => value.toPrecision(2);

function verdict({ can_run, overlap, engine }: RecipeCheck): string {
  if (can_run) return "this recipe can run here";
  if (engine !== null && engine.refused.length > 0) return "this recipe cannot run on that server";
  return overlap?.allowed === false
    ? "this recipe does not run: give each subject to one split, or set data.allow_overlap: true"
    : "this recipe does not fit into the memory here";
}

function describeShared(overlap: NonNullable<RecipeCheck["overlap"]>): readonly [string, string] {
  return ["overlap", `data.eval shares with the training data ${describeOverlap(overlap)}`];
}

function describeModel({ path, revision, init, lora_rank, quantize_frozen, stop_token_ids }: RecipeCheck["model"]) {
  const parts = [
    `${path}${revision === null ? "" : `@${revision}`}`,
    init === "random" ? "random weights" : "its own weights",
    lora_rank === null ? "trained themselves" : `frozen, adapters of rank ${lora_rank}`,
    ...(quantize_frozen === null ? [] : [`held as ${quantize_frozen}`]),
  ];
  return `${parts.join(", ")}; completions stop at token ${stop_token_ids.join(" or ")}`;
}

function describeData(found: RecipeCheck["data"][number]): (readonly [string, string])[] {
  const { name, path, split, examples, kept, images, longest } = found;
  const source = [name, ...(path === null ? [] : [path]), ...(split === null ? [] : [`split ${split}`])].join(", ");
  const { prompt_tokens_mean: mean, prompt_tokens_max: most, image_tokens_max: image } = found;
  return [
    [found.data, `${source}: ${kept} of ${examples} examples, ${images} images`],
    [
      "",
      `a prompt has ${mean} tokens on average, at most ${most} (images ${image}); the longest is "${longest.example_id}", ${longest.tokens} tokens with its completion`,
    ],
    ...describeDoubts(found).map((line) => ["", line] as const),
  ];
}

function describeStage({ stage, kind, steps, rewards }: RecipeCheck["stages"][number]): readonly [string, string] {
  return [`stage ${stage}`, `${kind}, ${steps} steps${rewards.length > 0 ? `, rewards ${rewards.join(", ")}` : ""}`];
}

function describeParts(parts: Readonly<Record<string, number>>): (readonly [string, string])[] {
  return Object.entries(parts)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([part, value]) => [`  ${part}`, size(value)]);
}

function describeDevice(device: NonNullable<RecipeCheck["memory"]>["device"]): (readonly [string, string])[] {
  if (device === null) return [];
  const { parts_gb, total_gb, available_gb, fits } = device;
  const there = available_gb === null ? "this system does not tell how much it has" : `${size(available_gb)} are there`;
  return [
    ["on the device", `at most about ${size(total_gb)}; ${there}${fits ? "" : ": it does not fit"}`],
    ...describeParts(parts_gb),
  ];
}

function describeMemory(memory: RecipeCheck["memory"]): (readonly [string, string])[] {
  if (memory === null) return [["memory", "the engine computes elsewhere"]];
  const { total_gb, available_gb, free_gb, fits, changes, together_gb } = memory;
  const { prompts, prompt_tokens, image_tokens, num_generations, completion_tokens } = memory.largest_step;
  const fitting = (yes: boolean) => (yes ? "fits" : "does not fit");
  const busy = fits && total_gb > free_gb ? ", once other programs have left" : "";
  const prompt = `${prompts} prompts of at most ${prompt_tokens} tokens (images ${image_tokens})`;
  const together: (readonly [string, string])[] =
    changes.length > 1 ? [["", `all of these: ${size(together_gb!)}, ${fitting(together_gb! <= available_gb)}`]] : [];
  const hopeless: (readonly [string, string])[] =
    !fits && changes.length === 0 ? [["what helps", "a smaller model, or a machine with more memory"]] : [];
  return [
    ["largest step", `${memory.stage}: ${prompt}, ${num_generations} x ${completion_tokens} tokens to each`],
    ["memory", `at most about ${size(total_gb)}`],
    ...describeParts(memory.parts_gb),
    ["this machine", `${size(available_gb)}, ${size(free_gb)} free: it ${fitting(fits)}${busy}`],
    ...describeDevice(memory.device),
    ...changes.map((each, i) => {
      return [i === 0 ? "what helps" : "", `${each.change}: ${size(each.total_gb)}, ${fitting(each.fits)}`] as const;
    }),
    ...together,
    ...hopeless,
  ];
}

/** Two digits of a plan that is right to about a tenth. */
const size = (value: number) => `${value < 10 ? value.toPrecision(2) : value.toFixed(0)} GB`;

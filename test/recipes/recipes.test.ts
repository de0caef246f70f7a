import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { filesBelow, jsonLines, root, temporaryFolder, vivaOk } from "../cli/command-line.ts";
import { writeTinyModel } from "../cli/tiny-run.ts";

interface PlainRecipe {
  readonly data: { readonly train: { readonly path?: string }; readonly eval?: { readonly path?: string } | null };
  readonly prompt?: unknown;
  readonly stages: readonly { readonly kind: string; readonly paradigms?: object; readonly environment?: unknown }[];
}

const folder = temporaryFolder();
const model = join(folder, "model");
const recipes = readdirSync(join(root, "recipes")).filter((name) => /\.ya?ml$/.test(name));

beforeAll(() => {
  writeTinyModel(model);
});

/** `--set` arguments that leave two steps of two questions in every stage. */
function shrunk({ data, stages }: PlainRecipe): readonly string[] {
  const changes = [
    `model.path=${model}`,
    "model.init=random",
    "data.train.limit=8",
    ...(data.eval
      ? [
          "data.eval.limit=4",
          "evaluate={ at_start: true, every: 1, baselines: [blank_image], conventional: [knn], max_completion_length: 4 }",
        ]
      : []),
    ...stages.flatMap(({ kind }, i) => {
      const sizes =
        kind === "sft"
          ? ["epochs=null", "batch_size=2"]
          : ["prompts_per_step=2", "num_generations=2", "max_completion_length=4"];
      return ["steps=2", ...sizes].map((change) => `stages.${i}.${change}`);
    }),
  ];
  return changes.flatMap((change) => ["--set", change]);
}

/** The data folders of a recipe that are not on this machine. */
function absentData({ data }: PlainRecipe): readonly string[] {
  const paths = [data.train.path, data.eval?.path].filter((path) => path !== undefined);
  return paths.filter((path) => !existsSync(resolve(root, path)) && !existsSync(resolve(root, "recipes", path)));
}

const sorted = (record: object) => Object.keys(record).sort();

it("there are recipes", () => {
  expect(recipes).toContain("demo-grpo.yaml");
});

describe.each(recipes)("recipes/%s", (file) => {
  const recipe = parse(readFileSync(join(root, "recipes", file), "utf8")) as PlainRecipe;
  const run = join(folder, file);
  const steps = 2 * recipe.stages.length;
  const rolloutSteps = recipe.stages.flatMap(({ kind }, i) => (kind === "sft" ? [] : [2 * i + 1, 2 * i + 2]));

  it("runs two steps of each stage through the command line, and its record is as the contract says", async (context) => {
    const absent = absentData(recipe);
    if (absent.length > 0) console.log(`skipped: there is no data for recipes/${file} at ${absent.join(", ")}`);
    context.skip(absent.length > 0, `${file}: no data at ${absent.join(", ")}`);
    await vivaOk(root, "train", join("recipes", file), "--run", run, ...shrunk(recipe), "--quiet");

    const sidecars = rolloutSteps.map((step) => `rollouts/step-${String(step).padStart(6, "0")}.jsonl`);
    const files = filesBelow(run).filter((name) => !name.startsWith("checkpoints/"));
    const streams = ["metrics.jsonl", "rollouts.jsonl", "evals.jsonl", "events.jsonl"];
    expect(files).toEqual(expect.arrayContaining(["recipe.yaml", "environment.json", ...streams, ...sidecars]));
    expect(files.filter((name) => name.endsWith(".lock") || name.endsWith(".tmp"))).toEqual([]);
    expect(readdirSync(join(run, "checkpoints"))).toContain(`step-${String(steps).padStart(6, "0")}`);
    expect(readFileSync(join(run, "recipe.yaml"), "utf8")).toMatch(
      /^# model_sha256: [0-9a-f]{64}\n# train_sha256: [0-9a-f]{64}\n(# \w+: .*\n)*name: /,
    );

    expectMetrics(jsonLines(run, "metrics.jsonl"), recipe, steps);
    const { paradigms = null, environment = null } = recipe.stages.at(-1)!;
    const variants = paradigms === null ? null : Object.keys(paradigms);
    expectRollouts(run, rolloutSteps, { paradigms: variants, hasTurns: environment !== null });
    expectEvals(jsonLines(run, "evals.jsonl"), recipe, steps);
    expectEvents(jsonLines(run, "events.jsonl"), recipe, steps);
  });
});

/** One flat line per step. */
function expectMetrics(lines: readonly Record<string, unknown>[], { stages }: PlainRecipe, steps: number): void {
  expect(lines.map(({ step }) => step)).toEqual(Array.from({ length: steps }, (_, i) => i + 1));
  for (const [i, line] of lines.entries()) {
    const { kind } = stages[Math.floor(i / 2)]!;
    expect(line.stage).toBe(kind);
    for (const value of Object.values(line)) expect(["number", "string"]).toContain(typeof value);
    const always = [
      "loss",
      "policy/entropy",
      "completion/length_mean",
      "optim/grad_norm",
      "optim/learning_rate",
      "time/step_s",
    ];
    const rollout = [
      "reward/mean",
      "reward/std",
      "group/zero_std_fraction",
      "policy/clip_fraction",
      "completion/truncated_fraction",
      "completion/trained_fraction",
      // A step whose groups have no spread scores nothing.
      ...(line["completion/trained_fraction"] === 0 ? [] : ["sampler/logprob_diff_max"]),
      "time/sample_s",
    ];
    for (const key of kind === "sft" ? always : [...always, ...rollout])
      expect(line[key], key).toEqual(expect.any(Number));
  }
}

/** One line per group with everything a reader needs to judge it; token ids and log-probs in the step's sidecar. */
function expectRollouts(
  run: string,
  rolloutSteps: readonly number[],
  { paradigms, hasTurns }: { readonly paradigms: readonly string[] | null; readonly hasTurns: boolean },
): void {
  const lines = jsonLines(run, "rollouts.jsonl");
  const groups = 2 * (paradigms?.length ?? 1);
  expect(lines.map(({ id }) => id)).toEqual(
    rolloutSteps.flatMap((step) => Array.from({ length: groups }, (_, i) => `${step}/${i}`)),
  );
  if (paradigms !== null) {
    const variants = lines.map(({ variant }) => variant);
    expect(variants.slice(0, groups)).toEqual([...paradigms, ...paradigms]);
  }
  const fields = [
    "id",
    "step",
    "stage",
    "example_id",
    "subject_id",
    "images",
    "question",
    "answer",
    "answer_index",
    "answer_type",
    "choices",
    "meta",
    "prompt",
    "prompt_tokens",
    "image_tokens",
    "policy_version",
    "completions",
    ...(paradigms === null ? [] : ["variant"]),
  ].sort();
  const ofCompletion = [
    "text",
    "tokens",
    "finish_reason",
    "parsed_answer",
    "rewards",
    "evidence",
    "reward",
    "advantage",
    "mean_log_prob",
    ...(hasTurns ? ["turns"] : []),
  ].sort();
  for (const line of lines) {
    const { regions = [], ...rest } = line; // absent where facts have no place
    expect(sorted(rest)).toEqual(fields);
    for (const { image, label, box, polygon } of regions) {
      expect(line.images[image], label).toBeDefined();
      expect(box?.length === 4 || polygon.length > 2, label).toBe(true);
    }
    for (const image of line.images) {
      expect(image).toEqual({
        path: expect.any(String),
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        width: expect.any(Number),
        height: expect.any(Number),
      });
    }
    expect(["closed", "open", "choice", "multi", "numeric"]).toContain(line.answer_type);
    expect(line.prompt).toContain(line.question);
    expect(line.prompt_tokens).toBeGreaterThan(line.image_tokens);
    expect(line.image_tokens).toBeGreaterThanOrEqual(4 * line.images.length);
    expect(line.completions).toHaveLength(2);
    for (const completion of line.completions) {
      expect(sorted(completion)).toEqual(ofCompletion);
      expect(["stop", "length"]).toContain(completion.finish_reason);
      for (const score of Object.values(completion.rewards))
        if (score !== null) expect(score).toEqual(expect.any(Number));
      const { parsed_answer: parsed, text } = completion;
      if (parsed !== null) expect(text.slice(parsed.start, parsed.end)).toBe(parsed.text);
      for (const { reward, start, end, label, verdict } of completion.evidence) {
        expect(Object.keys(completion.rewards)).toContain(reward);
        expect(0 <= start && start <= end && end <= text.length && typeof label === "string").toBe(true);
        expect([true, false, "unknown"]).toContain(verdict);
      }
      expect(new Set(completion.evidence.map((item: object) => JSON.stringify(item))).size).toBe(
        completion.evidence.length,
      );
    }
  }
  for (const step of rolloutSteps) {
    const tokens = jsonLines(run, "rollouts", `step-${String(step).padStart(6, "0")}.jsonl`);
    const own = lines.filter((line) => line.step === step);
    expect(tokens.map(({ id }) => id)).toEqual(own.map(({ id }) => id));
    for (const [i, { completions }] of tokens.entries()) {
      for (const [j, { token_ids, log_probs, entropies }] of completions.entries()) {
        const { tokens } = own[i].completions[j];
        expect([token_ids.length, log_probs.length, entropies.length]).toEqual([tokens, tokens, tokens]);
      }
    }
  }
}

/** One line per item and checkpoint, and one summary line per evaluation. */
function expectEvals(lines: readonly Record<string, unknown>[], { data }: PlainRecipe, steps: number): void {
  if (!data.eval) {
    expect(lines).toEqual([]);
    return;
  }
  const summaries = lines.filter(({ kind }) => kind === "summary");
  expect(summaries.map(({ step }) => step)).toEqual(Array.from({ length: steps + 1 }, (_, step) => step));
  const of = [
    "checkpoint",
    "protocol",
    "example_id",
    "subject_id",
    "strata",
    "prediction",
    "parsed_answer",
    "strict",
    "lenient",
    "token_f1",
    "parse_failure",
  ];
  for (const { step, checkpoint, subsets } of summaries) {
    const items = lines.filter((line) => line.kind === "item" && line.step === step);
    expect(items).toHaveLength(4);
    for (const item of items) {
      expect(sorted(item)).toEqual(expect.arrayContaining(of));
      expect(item.checkpoint).toBe(checkpoint);
    }
    const baselines = {
      majority: {},
      question_only: {},
      question_regression: {},
      conventional_knn: {},
      nearest_neighbour: {},
      blank_image: {},
    };
    const untuned = step === 0 ? {} : { untuned: {} };
    expect(subsets).toMatchObject({ overall: { n: 4, baselines: { ...baselines, ...untuned } } });
  }
}

/** Stage starts, checkpoints and the end, in order. */
function expectEvents(lines: readonly Record<string, unknown>[], { stages }: PlainRecipe, steps: number): void {
  const expected = stages.flatMap(({ kind }, i) => [
    { event: "stage_start", step: 2 * i + 1, stage: kind, steps: 2 },
    { event: "checkpoint", step: 2 * i + 2, name: `step-${String(2 * i + 2).padStart(6, "0")}` },
  ]);
  const known = lines.filter(({ event }) => ["stage_start", "checkpoint", "run_end"].includes(String(event)));
  expect(known).toEqual([...expected, { event: "run_end", step: steps }]);
}

it("viva demo trains both ways and says what GRPO changed against each", async () => {
  const run = join(folder, "demo-run");
  const changes = ["data.train.limit=16", "data.eval.limit=6", "evaluate.max_completion_length=8", "stages.0.steps=2"];
  const { stdout } = await vivaOk(folder, "demo", "--run", run, ...changes.flatMap((c) => ["--set", c]), "--json");
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.filter(({ type }) => type === "step")).toHaveLength(4);
  const messages = lines.flatMap(({ type, text }) => (type === "message" ? [text as string] : []));
  // Each half is announced before its first step.
  const halves = [
    "half 1 of 2: the model as it ships, tuned supervised",
    "half 2 of 2: the model as it ships, tuned by GRPO",
  ];
  // A slow machine tells of progress too, which has no text.
  const told = lines.map(({ type, stage, text }) =>
    type === "step" ? stage : halves.findIndex((half) => text?.startsWith(half)),
  );
  expect(told.filter((what) => what !== -1)).toEqual([0, "sft", "sft", 1, "grpo", "grpo"]);
  for (const title of [
    "Accuracy on 6 questions",
    "as it ships",
    "supervised",
    "GRPO less as it ships",
    "GRPO less sup",
  ]) {
    expect(messages.filter((text) => text.startsWith(title)).length, title).toBe(1);
  }
  expect(messages).toContain(`report: ${join(run, "report.html")}`);
  expect(existsSync(join(run, "report.html"))).toBe(true);
});

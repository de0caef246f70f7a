/** Every arm of the study, and every objective, runs two steps of each stage through the command line: a shrunken model, a judge of our own. */
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse } from "yaml";
import { jsonLines, root, temporaryFolder, vivaOk } from "../cli/command-line.ts";
import { writeTinyModel } from "../cli/tiny-run.ts";

interface PlainRecipe {
  readonly prompt?: unknown;
  readonly model: unknown;
  readonly stages: readonly { readonly kind: string; readonly rewards?: Readonly<Record<string, unknown>> }[];
}

const folder = temporaryFolder();
const filesOf = (name: string) => readdirSync(join(root, "recipes", name)).map((file) => `${name}/${file}`);
const recipes = ["arms", "objectives"].flatMap(filesOf);
/** A shrunken model that was trained for two steps. */
const weights = join(folder, "runs/start/checkpoints/step-000002");
let judge: Server;
let baseUrl = "";

beforeAll(async () => {
  writeTinyModel(join(folder, "model"));
  judge = createServer((request, response) => {
    request.resume().on("end", () => {
      response.end(JSON.stringify({ choices: [{ message: { content: "VERDICT: YES" } }] }));
    });
  });
  await new Promise<void>((ready) => judge.listen(0, "127.0.0.1", ready));
  baseUrl = `http://127.0.0.1:${(judge.address() as AddressInfo).port}/v1`;
  await train("arms/sft.yaml", "start", [`model.path=${join(folder, "model")}`, "model.init=random"]);
});
afterAll(() => {
  judge.closeAllConnections();
  judge.close();
});

/** Arms that ask as the plain one does are evaluated in test/recipes/recipes.test.ts, as every recipe there is. */
function asksOtherwise({ prompt, model }: PlainRecipe): boolean {
  const plain = recipeOf("arms/grpo.yaml");
  return !isDeepStrictEqual([prompt, model], [plain.prompt, plain.model]);
}

const recipeOf = (file: string) => parse(readFileSync(join(root, "recipes", file), "utf8")) as PlainRecipe;

async function train(file: string, name = file, model = [`model.path=${weights}`]): Promise<string> {
  const recipe = recipeOf(file);
  const { stages } = recipe;
  const sizes: Readonly<Record<string, readonly string[]>> = {
    sft: ["batch_size=2"],
    warm_up: ["batch_size=2", "images.limit=8"],
    dpo: ["batch_size=2", "rollouts.num_generations=2", "rollouts.max_completion_length=4"],
  };
  const services: Readonly<Record<string, readonly string[]>> = {
    "arms/semantic_judge.yaml": [`base_url=${baseUrl}`],
    "arms/semantic_embedding.yaml": [`encoder=${join(root, "test/golden/sentence_encoder/mean")}`],
  };
  const changes = [
    ...model,
    ...["data.train.limit=8", "data.eval.limit=4"],
    asksOtherwise(recipe) ? "evaluate.max_completion_length=4" : "evaluate=null",
    ...stages.flatMap(({ kind }, i) => {
      const rollout = ["prompts_per_step=2", "num_generations=2", "max_completion_length=4"];
      return ["steps=2", ...(sizes[kind] ?? rollout)].map((change) => `stages.${i}.${change}`);
    }),
    ...(services[file] ?? []).map((change) => `stages.0.rewards.semantic.${change}`),
  ];
  const run = join(folder, "runs", name);
  const quiet = ["--run", run, "--quiet", "--no-report"];
  await vivaOk(root, "train", `recipes/${file}`, ...quiet, ...changes.flatMap((c) => ["--set", c]));
  return run;
}

it.each(recipes)("%s", async (file) => {
  const run = await train(file);
  const { stages } = recipeOf(file);
  const metrics = jsonLines(run, "metrics.jsonl");
  expect(metrics.map(({ stage }) => stage)).toEqual(stages.flatMap(({ kind }) => [kind, kind]));
  for (const [i, line] of metrics.entries()) {
    for (const name of Object.keys(stages[Math.floor(i / 2)]!.rewards ?? {})) {
      expect(line[`reward/${name}/mean`], name).toEqual(expect.any(Number));
    }
  }
  expect(jsonLines(run, "events.jsonl").at(-1)).toEqual({ event: "run_end", step: 2 * stages.length });
});

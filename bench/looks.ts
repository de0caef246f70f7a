/**
 * What looking again is worth: presence and size of small nodules with and without crops, the share of calls that were useful
 * (answered, and the nodule's centre is inside), and what the same model answers when its first call is the reference's.
 * usage: npx tsx bench/looks.ts STUDY_FOLDER [--seeds 1,2,3] [--limit 180]
 * The folder is that of studies/looks.yaml. Prints a table: by seed and the mean.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodeQuestion } from "../src/answers/prompts.ts";
import { meanOf } from "../src/core/mean.ts";
import { percent } from "../src/core/percent.ts";
import type { Completion, Example, Prompt, RolloutResult, SamplingOptions } from "../src/core/records.ts";
import { alignColumns } from "../src/core/text-table.ts";
import { loadDataset } from "../src/data/index.ts";
import type { Policy } from "../src/engine/engine.ts";
import { type EvalItem, readEvaluation, scoreItems } from "../src/evaluate/index.ts";
import { openCheckpoint } from "../src/session/checkpoint.ts";
import { openTools } from "../src/session/stage-tools.ts";
import { environmentSchema } from "../src/tools/index.ts";
import { CALL_CLOSE } from "../src/tools/parse-call.ts";
import { sampleTrajectories } from "../src/tools/trajectories.ts";

const text = { type: "string" } as const;
const { values, positionals } = parseArgs({ options: { seeds: text, limit: text }, allowPositionals: true });
const [study] = positionals;
if (study === undefined) throw new Error("looks: name the folder of studies/looks.yaml");
const seeds = (values.seeds ?? "1,2,3").split(",").map(Number);
const own = { difficulty: 0, modality: "x-ray" };
const limit = Number(values.limit ?? 180);
const questions = await loadDataset({ name: "phantom_looks", split: "test", limit, seed: 1000, own });
const byId = new Map(questions.map((one) => [one.id, one] as const));
const environment = environmentSchema.parse({
  ...{ name: "viewer_tools", tools: ["crop"], max_turns: 2, turn_length: 96, describe: false },
});

const table = new Map<string, number[]>();
const note = (name: string, value: number) => table.set(name, [...(table.get(name) ?? []), value]);

for (const seed of seeds) {
  for (const arm of ["no_tools", "tools"]) {
    const { items } = readEvaluation(join(study, "runs", `${arm}-seed${seed}`), arm);
    noteAnswers(arm, items);
    if (arm === "no_tools") continue;
    const first = items.map(({ turns }) => turns?.[0]);
    note("answers with a call", meanOf(first.map((turn) => Number(turn?.call != null))));
    const shown = items.flatMap(({ example_id, turns }) => {
      const image = turns?.[0]?.observation?.image;
      return image == null ? [] : [{ example: byId.get(example_id)!, path: image.path }];
    });
    const there = shown.filter(({ example }) => centreOf(example) !== null);
    note("useful calls, where there is a nodule", meanOf(there.map((one) => Number(holdsNodule(one)))));
  }
  noteAnswers("tools, the reference's crop", await answersBehindReference(join(study, "runs", `tools-seed${seed}`)));
}
const rows = [...table].map(([name, found]) => [name, ...found.map(percent), percent(meanOf(found))]);
for (const line of alignColumns([["", ...seeds.map((seed) => `seed ${seed}`), "mean"], ...rows], 1)) console.log(line);

function noteAnswers(arm: string, items: readonly Pick<EvalItem, "answer_type" | "strict">[]): void {
  for (const [kind, type] of [
    ["presence", "closed"],
    ["size", "numeric"],
  ] as const) {
    const asked = items.filter(({ answer_type }) => answer_type === type);
    note(`${kind}: ${arm}`, meanOf(asked.map(({ strict }) => strict)));
  }
}

/** In fractions of the image; null without a nodule. */
function centreOf(example: Example): { readonly x: number; readonly y: number } | null {
  const [found] = (example.facts as unknown as { findings: readonly { x: number; y: number }[] }).findings;
  return found ?? null;
}

/** Whether a crop, named by its box in the original's pixels, shows the nodule. */
function holdsNodule({ example, path }: { readonly example: Example; readonly path: string }): boolean {
  const [left, top, right, bottom] = /#crop=([\d,]+)$/.exec(path)![1]!.split(",").map(Number);
  const { width, height } = example.images[0]!.original!;
  const { x, y } = centreOf(example)!;
  return left! <= x * width && x * width <= right! && top! <= y * height && y * height <= bottom!;
}

/** The model's answers when its first turn is the reference's, with the call where the nodule is. */
async function answersBehindReference(run: string): Promise<readonly EvalItem[]> {
  const { engine, processor, prompt } = await openCheckpoint(run, { threads: 1 });
  const tools = await openTools(environment, prompt);
  const asked = await Promise.all(
    questions.map(async (example) => ({ example, prompt: await encodeQuestion(processor, example, prompt) })),
  );
  const firstTurn = (index: number): Completion => {
    const { rationale } = questions[index]!;
    const said = `<think>${rationale!.slice(0, rationale!.indexOf(CALL_CLOSE))}${CALL_CLOSE}`;
    const tokenIds = processor.encodeCompletion(said).slice(0, -1);
    const logProbs = new Float32Array(tokenIds.length);
    return { tokenIds, logProbs, text: said, finishReason: "stop", policyVersion: 0 };
  };
  const policy: Pick<Policy, "sample"> = {
    async *sample(prompts: readonly Prompt[], o: SamplingOptions): AsyncGenerator<RolloutResult> {
      if (o.each !== undefined) return yield* engine.policy.sample(prompts, o);
      for (const index of prompts.keys()) yield { index, completions: [firstTurn(index)] };
    },
  };
  const sampling = { ...{ temperature: 0, topP: 1, topK: 0, seed: 0, step: 0 }, numGenerations: 1 };
  const groups = await sampleTrajectories(
    policy,
    asked,
    { ...sampling, maxCompletionLength: 200 },
    { ...tools, processor },
  );
  await engine.close();
  const said = groups.map(([completion]) => completion!.text);
  return scoreItems(questions, said, { style: prompt.style, thinkOpened: false });
}

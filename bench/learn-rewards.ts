/**
 * The rewards of bench/learn.yaml for another trainer: reads lines {"ids": [example], "texts": [completion]} and answers
 * each with a line of scores by reward name, unweighted.
 * usage: npx tsx bench/learn-rewards.ts DATA_FOLDER
 */
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promptStyle } from "../src/answers/prompts.ts";
import type { Completion } from "../src/core/records.ts";
import { loadRecipe } from "../src/recipes/load.ts";
import { rewardsAt, scoreGroup } from "../src/rewards/index.ts";
import { loadExamples } from "../src/session/examples.ts";
import { openRewards } from "../src/session/reward-services.ts";

const file = fileURLToPath(new URL("./learn.yaml", import.meta.url));
const { recipe } = loadRecipe(file, [`data.train.path=${process.argv[2]}`, `data.eval.path=${process.argv[2]}`]);
const { examples } = await loadExamples(recipe.data.train, recipe);
const byId = new Map(examples.map((example) => [example.id, example]));
const prompt = { style: promptStyle("think_answer").style, thinkOpened: false };
const { rewards } = await openRewards(recipe, prompt, tmpdir());
const weighted = rewardsAt(rewards[0]!, 0);
for await (const line of createInterface({ input: process.stdin })) {
  const { ids, texts } = JSON.parse(line) as { readonly ids: readonly string[]; readonly texts: readonly string[] };
  const scored = await Promise.all(
    texts.map((text, i) => scoreGroup(weighted, byId.get(ids[i]!)!, [completionOf(text)])),
  );
  const names = weighted.map(({ reward }) => reward.name);
  const scores = Object.fromEntries(names.map((name) => [name, scored.map((own) => own.rewards[name]![0])]));
  process.stdout.write(`${JSON.stringify(scores)}\n`);
}

function completionOf(text: string): Completion {
  return { text, tokenIds: new Int32Array(0), logProbs: new Float32Array(0), finishReason: "stop", policyVersion: 0 };
}

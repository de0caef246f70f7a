/**
 * A text-only recipe learned through SkyRL 0.4.0, three seeds; its server is killed and started again in the middle of each.
 * Prints the reward by fifths of the run, seconds per step, and what the record says of the steps.
 * usage: npx tsx bench/learn-on-skyrl.ts PYTHON [STEPS], PYTHON an interpreter with SkyRL as test/real/skyrl.ts asks
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { runRecipe } from "../src/pipeline/run-recipe.ts";
import { loadRecipe } from "../src/recipes/load.ts";
import { startSkyrl, writeQwen3 } from "../test/real/skyrl.ts";

const [python, count = "30"] = process.argv.slice(2);
if (python === undefined) throw new Error("usage: bench/learn-on-skyrl.ts PYTHON [STEPS]");
const steps = Number(count);
const folder = mkdtempSync(join(tmpdir(), "viva-learn-skyrl-"));
const organs = ["lung", "heart", "liver", "brain", "spleen", "kidney", "colon", "bladder"];
const examples = organs.map((organ) => ({
  ...{ id: organ, subjectId: organ, question: `Name the ${organ}.`, images: [] },
  ...{ answer: organ, answerType: "open", choices: [], meta: {} },
}));
writeFileSync(join(folder, "questions.mjs"), `export default () => ${JSON.stringify(examples)};\n`);
// A model of random weights knows no answer: it learns to write vowels.
writeFileSync(
  join(folder, "vowels.mjs"),
  `export const reward = { name: "vowels", range: [0, 1], score: (_, completions) => completions.map(({ text }) =>
    text.length === 0 ? 0 : (text.match(/[aeiou]/g) ?? []).length / text.length) };\n`,
);
const server = await startSkyrl(
  { python, bin: () => python },
  writeQwen3(join(folder, "model")),
  join(folder, "server"),
);

interface Row {
  readonly step: number;
  readonly "reward/mean": number;
  readonly "time/step_s": number;
}

try {
  for (const seed of [1, 2, 3]) {
    const recipe = {
      name: "vowels",
      seed,
      model: { path: fileURLToPath(new URL("../assets/viva-tiny-instruct", import.meta.url)), lora: { r: 8 } },
      engine: { backend: "tinker", url: server.url },
      data: { train: { name: "module", path: join(folder, "questions.mjs") } },
      prompt: "plain",
      stages: [
        {
          ...{ kind: "grpo", steps, prompts_per_step: 4, num_generations: 8, max_completion_length: 12 },
          ...{ learning_rate: 0.01, lr_scheduler_type: "constant", max_grad_norm: 0 },
          rewards: { vowels: { weight: 1, module: join(folder, "vowels.mjs") } },
        },
      ],
      evaluate: null,
      checkpoint: { every: null },
      alarms: null,
    };
    const file = join(folder, `seed-${seed}.yaml`);
    writeFileSync(file, stringify(recipe));
    let kills = 0;
    const run = join(folder, `run-${seed}`);
    await runRecipe(loadRecipe(file), run, {
      resume: false,
      observers: [
        {
          step: ({ step }) => {
            if (step !== Math.floor(steps / 2)) return;
            kills++;
            void server.kill().then(() => server.start());
          },
        },
      ],
    });
    const metrics = readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n");
    const rewards = metrics.map((line) => JSON.parse(line) as Row);
    const fifth = Math.floor(steps / 5);
    const mean = (part: readonly number[]) => part.reduce((a, b) => a + b, 0) / part.length;
    const fifths = [0, 1, 2, 3, 4].map((i) =>
      mean(rewards.slice(i * fifth, (i + 1) * fifth).map((row) => row["reward/mean"])).toFixed(3),
    );
    const times = rewards.map((row) => row["time/step_s"]).sort((a, b) => a - b);
    const once = rewards.every(({ step }, i) => step === i + 1) && rewards.length === steps;
    console.log(
      `seed ${seed}: reward by fifths ${fifths.join(" ")}; ${times[steps >> 1]!.toFixed(2)} s a step (median); killed ${kills} times, every step recorded once: ${once}`,
    );
    console.log(JSON.stringify(JSON.parse(readFileSync(join(run, "environment.json"), "utf8")).engine));
  }
} finally {
  await server.kill();
  rmSync(folder, { recursive: true, force: true });
}

/** Hand-written run folders for tests of reports: complete, truncated, hostile. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";

/** A text that would be executed if it were not escaped. */
export const hostile = `<script>window.hacked=1</script><img src=x onerror="window.hacked=1"><svg onload=window.hacked=1>"'`;

export interface RunShape {
  readonly steps: number;
  readonly groupsPerStep?: number;
  readonly completions?: number;
  /** Evaluations besides the one at the start. */
  readonly evaluations?: number;
}

/** Writes a run with an image, rollouts with hostile texts, alarms, and evaluations of 40 questions. */
export async function writeRun(folder: string, shape: RunShape): Promise<string> {
  const { steps, groupsPerStep = 2, completions = 4, evaluations = 2 } = shape;
  mkdirSync(folder, { recursive: true });
  const image = join(folder, "film.png");
  const noise = { type: "gaussian", mean: 120, sigma: 40 } as const;
  await sharp({ create: { width: 300, height: 200, channels: 3, background: "#888", noise } })
    .png()
    .toFile(image);
  const write = (name: string, lines: readonly object[]) =>
    writeFileSync(join(folder, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  writeFileSync(
    join(folder, "recipe.yaml"),
    `name: ${JSON.stringify(`run ${hostile}`)}\nseed: 7\nmodel: { path: viva-tiny }\ndata: { train: { name: jsonl }, eval: null }\nstages:\n  - { kind: grpo, steps: ${steps}, rewards: { accuracy: {} } }\n`,
  );
  writeFileSync(
    join(folder, "environment.json"),
    JSON.stringify({ node: hostile, cores: 2, created: "2026-01-01T00:00:00Z" }),
  );
  const range = (n: number) => Array.from({ length: n }, (_, i) => i);
  write(
    "metrics.jsonl",
    range(steps).map((i) => ({
      step: i + 1,
      stage: "grpo",
      "reward/mean": Math.sin(i / 9),
      "reward/accuracy/mean": (i % 7) / 7,
      "group/zero_std_fraction": (i % 5) / 5,
      "completion/length_mean": 20 + (i % 3),
      "policy/entropy": 1 / (i + 1),
      "policy/kl": i === 3 ? "NaN" : i / 1000,
      "time/step_s": 1,
    })),
  );
  write("events.jsonl", [
    { event: "stage_start", step: 1, stage: "grpo", steps },
    {
      event: "alarm",
      step: 2,
      stage: "grpo",
      rule: "truncated",
      threshold: 0.5,
      value: 0.7,
      message: hostile,
      advice: "wait",
      evidence: ["2/0"],
    },
    { event: "run_end", step: steps },
  ]);
  write(
    "evals.jsonl",
    range(evaluations + 1).flatMap((e) => evaluation(Math.round((e * steps) / Math.max(1, evaluations)), e)),
  );
  const groups = range(steps).flatMap((s) =>
    range(groupsPerStep).map((g) => rolloutGroup(s + 1, g, completions, image)),
  );
  write("rollouts.jsonl", groups);
  return folder;
}

function evaluation(step: number, e: number): readonly object[] {
  const items = Array.from({ length: 40 }, (_, i) => ({
    kind: "item",
    step,
    example_id: `e${i}`,
    subject_id: `s${i % 20}`,
    question: hostile,
    answer: "left",
    answer_type: i % 3 ? "closed" : "open",
    strata: { question_type: i % 2 ? hostile : "side" },
    prediction: hostile,
    strict: (i * 7 + e) % (4 - Math.min(2, e)) === 0 ? 1 : 0,
  }));
  const right = items.filter(({ strict }) => strict === 1).length / items.length;
  const accuracy = { estimate: right, low: right - 0.1, high: right + 0.1, n: 40, subjects: 20 };
  const difference = { ...accuracy, estimate: right - 0.2, low: right - 0.3, high: right - 0.1 };
  const baselines = { question_only: { accuracy: 0.2, difference, verdict: "open" } };
  return [
    ...items,
    { kind: "summary", step, stage: e === 0 ? "start" : "grpo", subsets: { overall: { accuracy, baselines } } },
  ];
}

function rolloutGroup(step: number, g: number, completions: number, image: string): object {
  const text = `<think>${hostile} the left lung is clear</think><answer>left</answer>`;
  const start = text.indexOf("<answer>") + 8;
  return {
    id: `${step}/${g}`,
    step,
    stage: "grpo",
    example_id: `train-${step % 50}-${g}`,
    images: [{ path: g === 0 ? image : `gone-${hostile}.png`, sha256: "0", width: 300, height: 200 }],
    question: `Which side? ${hostile}`,
    answer: hostile,
    answer_type: "choice",
    choices: ["left", hostile],
    meta: { question_type: hostile },
    prompt: hostile,
    completions: Array.from({ length: completions }, (_, c) => ({
      text: `${text} ${c}`,
      tokens: 30,
      finish_reason: c === 0 ? "length" : "stop",
      parsed_answer: { text: "left", start, end: start + 4 },
      rewards: { accuracy: c % 2, [hostile]: null },
      evidence: [
        { reward: "accuracy", start, end: start + 4, label: "answer", verdict: c % 2 === 0 },
        { reward: "facts", start: 3, end: 60, label: hostile, concept: hostile, verdict: "unknown" },
      ],
      reward: c % 2,
      advantage: c % 2 ? 1 : -1,
      mean_log_prob: -0.5,
    })),
  };
}

/** Run folders for tests of the pages, as a run writes them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { remade } from "../../src/tools/remake.ts";
import { createUiApp, type UiOptions } from "../../src/ui/app.ts";
import { openLibrary } from "../../src/ui/library.ts";

/** Lines as a JSONL file has them. */
export function jsonl(lines: readonly object[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

/** A group as rollouts.jsonl has it, with one right, one cut and two equal completions. */
export function group(
  step: number,
  place: number,
  o: { readonly image?: string; readonly sha256?: string; readonly text?: string } = {},
) {
  const { image = "phantom:none", sha256 = "0".repeat(64), text = "the left lung is clear" } = o;
  const whole = `<think>${text}</think><answer>left</answer>`;
  const start = whole.indexOf("<answer>") + 8;
  const completion = (own: string, accuracy: number, judge: number | null, finish = "stop") => ({
    ...{ text: own, tokens: own.length, finish_reason: finish },
    parsed_answer: finish === "stop" ? { text: own.slice(start, start + 4), start, end: start + 4 } : null,
    rewards: { accuracy, judge },
    evidence: [
      { reward: "judge", start: 7, end: 7 + text.length, label: "claim", concept: "lung", verdict: accuracy === 1 },
    ],
    ...{ reward: accuracy + 0.5 * (judge ?? 0), advantage: accuracy === 1 ? 1.2 : -0.4, mean_log_prob: -0.5 },
  });
  return {
    ...{ id: `${step}/${place}`, step, stage: "grpo", example_id: `e${place}`, subject_id: `s${place}` },
    images: [{ path: image, sha256, width: 64, height: 48 }],
    ...{ question: `Which side? ${place}`, answer: "left", answer_type: "open", choices: [], answer_index: null },
    meta: { modality: place % 2 === 0 ? "ct" : "mr", split: "train" },
    ...{ prompt: "user: Which side?", prompt_tokens: 20, image_tokens: 4, policy_version: step - 1 },
    regions: [place === 1 ? device : { image: 0, label: "nodule left", box: [10, 10, 30, 30] }],
    completions: [
      { ...completion(whole, 1, 0), turns: lookingAt(image, text) },
      completion(whole.replace("left<", "both<"), 0, 1),
      completion(whole.replace("left<", "both<"), 0, 1),
      completion(`<think>${text} and so on`, 0, null, "length"),
    ],
  };
}

/** Columns 15 to 17 of 64 × 48 pixels. */
const device = { image: 0, label: "device", mask: { size: [48, 64], counts: [720, 144, 2208] } };

/** A turn that cut a part out of the image, and the last. */
function lookingAt(image: string, text: string) {
  const seen = { path: `${image}#crop=8,8,40,40`, sha256: `c${image.length}`.padEnd(64, "c"), width: 32, height: 32 };
  const call = { name: "crop", arguments: { box: [8, 8, 40, 40] } };
  const observation = { text: `the part: ${text}`, is_error: false, image: seen };
  return [
    { text, call, observation },
    { text, call: null, observation: null },
  ];
}

const share = (estimate: number) => ({ estimate, low: estimate - 0.1, high: estimate + 0.1, n: 30, subjects: 10 });

/** An evaluation's rows; the first `right` of 30 questions are right. */
export function evaluation(step: number, right: number, images: readonly string[] = []) {
  const items = Array.from({ length: 30 }, (_, i) => ({
    ...{
      kind: "item",
      step,
      checkpoint: `step-${step}`,
      protocol: "viva",
      example_id: `q${i}`,
      subject_id: `p${i % 10}`,
      ...(images.length === 0 ? {} : { images: [images[i % images.length]] }),
    },
    ...{
      question: `What is shown? ${i}`,
      answer: i % 3 === 0 ? "yes" : "no",
      answer_type: i % 3 === 0 ? "closed" : "open",
    },
    strata: { modality: i % 2 === 0 ? "ct" : "mr", organ: i < 15 ? "chest" : "head" },
    ...{ prediction: `because ${i}`, parsed_answer: { text: "yes", start: 0, end: 3 } },
    ...{
      strict: i < right ? 1 : 0,
      lenient: i < right + 2 ? 1 : 0,
      token_f1: i < right ? 1 : (i % 5) / 10,
      exact_match: i < right ? 1 : 0,
    },
    ...{ recall: 0, bleu_1: 0, rouge_l: 0, parse_failure: i === 29, format: i !== 29 },
  }));
  const accuracy = share(right / 30);
  const subset = {
    n: 30,
    subjects: 10,
    accuracy,
    lenient_accuracy: accuracy,
    token_f1: accuracy,
    parse_failure_rate: 1 / 30,
    format_rate: 1,
  };
  const decoding = { num_generations: 1, temperature: 0, top_p: 1, top_k: 0, seed: null, max_completion_length: 80 };
  const conditions = { questions: { n: 30, sha256: "a" }, prompt: null, decoding, images: null };
  const summary = {
    kind: "summary",
    step,
    stage: step === 0 ? "start" : "grpo",
    checkpoint: `step-${step}`,
    protocol: "viva",
  };
  // One figure as it should be, and some of another program's.
  const figures = { yes: { sensitivity: share(0.8), other: null }, odd: null };
  const further = { figures, numbers: { model: "none" }, facts: { precision: share(0.9), recall: null } };
  const difference = { estimate: right / 30 - 0.3, low: right / 30 - 0.4, high: right / 30 - 0.2, n: 30, subjects: 10 };
  const majority = { accuracy: 0.3, verdict: difference.low > 0 ? "better" : "open", difference };
  return [
    ...items,
    { ...summary, subsets: { overall: { ...subset, baselines: { majority } } }, ...further, conditions },
  ];
}

/** Writes a run with an 8-bit and a 16-bit image in its folder; returns the folder. */
export async function writeUiRun(
  folder: string,
  o: { readonly steps?: number; readonly text?: string; readonly name?: string } = {},
): Promise<string> {
  const { steps = 4, text, name = "a run" } = o;
  mkdirSync(join(folder, "checkpoints/step-000004"), { recursive: true });
  mkdirSync(join(folder, "rollouts"));
  const values = Uint16Array.from({ length: 64 * 48 }, (_, i) => 1000 + (i % 64) * 40);
  const grey16 = join(folder, "deep.png");
  await sharp(values, { raw: { width: 64, height: 48, channels: 1 } })
    .toColourspace("grey16")
    .png()
    .toFile(grey16);
  const noise = { type: "gaussian", mean: 120, sigma: 40 } as const;
  const grey = join(folder, "film.png");
  await sharp({ create: { width: 64, height: 48, channels: 3, background: "#888", noise } })
    .png()
    .toFile(grey);
  const again = join(folder, "again.png"); // the 16-bit picture once more, under another name and smaller
  await sharp(grey16).resize(48, 36).png().toFile(again);
  const write = (file: string, content: string) => writeFileSync(join(folder, file), content);
  const recipe = {
    name,
    seed: 1,
    model: { path: "viva-tiny" },
    data: { train: { name: "jsonl", path: "data" }, eval: null },
  };
  const stage = {
    kind: "grpo",
    steps,
    learning_rate: 1e-4,
    rewards: { accuracy: { weight: 1 }, judge: { weight: 0.5 } },
  };
  write("recipe.yaml", JSON.stringify({ ...recipe, stages: [stage] }, null, 1));
  const range = Array.from({ length: steps }, (_, i) => i + 1);
  write(
    "metrics.jsonl",
    jsonl(
      range.map((step) => ({
        step,
        stage: "grpo",
        "reward/mean": step / 10,
        "reward/judge/mean": 0.5,
        "policy/kl": "NaN",
        "group/zero_std_fraction": 0.25,
        "time/step_s": 1,
      })),
    ),
  );
  const images = [
    { image: grey, sha256: "f".repeat(64) },
    { image: grey16, sha256: "d".repeat(64) },
    { image: "/etc/hostname", sha256: "e".repeat(64) },
  ];
  const of = (step: number, place: number) =>
    group(step, place, { ...images[place], ...(text === undefined ? {} : { text }) });
  write("rollouts.jsonl", jsonl(range.flatMap((step) => [0, 1, 2].map((place) => of(step, place)))));
  for (const step of range) {
    const tokens = Array.from({ length: 4 }, () => ({
      token_ids: [5, 6, 7],
      log_probs: [-0.1, -2.5, -0.01],
      entropies: [0.2, 1.9, 0.05],
    }));
    write(
      `rollouts/step-${String(step).padStart(6, "0")}.jsonl`,
      jsonl([0, 1, 2].map((place) => ({ id: `${step}/${place}`, completions: tokens }))),
    );
  }
  write("evals.jsonl", jsonl([...evaluation(0, 12, [grey, again]), ...evaluation(steps, 20, [grey, again])]));
  const alarm = {
    event: "alarm",
    step: 2,
    stage: "grpo",
    rule: "zero_variance",
    threshold: 0.5,
    value: 0.7,
    window: 2,
  };
  write(
    "events.jsonl",
    jsonl([
      { event: "stage_start", step: 1, stage: "grpo", steps },
      { ...alarm, evidence: ["2/0"], message: "too many groups without variance", advice: "ask harder questions" },
      { event: "run_end", step: steps },
    ]),
  );
  write("environment.json", "{}");
  return folder;
}

/** The app over a folder of runs, without engine and model. */
export function appOver(root: string, o: Partial<UiOptions> = {}) {
  return createUiApp({
    library: openLibrary([root]),
    access: { origin: null, token: null },
    imageRoots: [],
    generated: () => async () => null,
    remade,
    modelView: async () => null,
    play: null,
    version: "test",
    onFailure: (error) => {
      throw error;
    },
    ...o,
  });
}

/** Asks the app as a browser on this machine does. */
export function ask(app: ReturnType<typeof appOver>, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { host: "127.0.0.1:8321", ...(init.headers as Record<string, string> | undefined) };
  return Promise.resolve(app.request(path, { ...init, headers }));
}

/** viva index, viva calibrate, and --route and --stop of viva eval and viva serve, as users run them. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { loadDataset } from "../../src/data/index.ts";
import { openLocalEngine } from "../../src/engine/local/local-engine.ts";
import { openProcessor } from "../../src/models/index.ts";
import { root, start, temporaryFolder, viva, vivaOk } from "./command-line.ts";

const folder = temporaryFolder();
const model = join(root, "assets/viva-tiny-instruct");
const data = ["--data", "jsonl", "--path", "rows.jsonl", "--limit"];

/** Questions about generated images as files: few, so that baselines cost nothing. */
async function writeQuestions(): Promise<void> {
  const own = { image_size: 112, difficulty: 0.2 };
  const rows: object[] = [];
  for (const [split, limit] of [
    ["train", 24],
    ["validation", 8],
    ["test", 8],
  ] as const) {
    for (const [i, example] of (await loadDataset({ name: "phantom_world", split, limit, seed: 4, own })).entries()) {
      const { question, answer, answerType, choices, meta, images } = example;
      const { data, width, height, channels } = images[0]!.pixels!;
      const image = `${split}-${i}.png`;
      await sharp(data, { raw: { width, height, channels } }).toFile(join(folder, image));
      const about = {
        id: `${split}-${i}`,
        subject: `${split}-${i}`,
        split,
        image,
        meta: { modality: meta["modality"] },
      };
      rows.push({ ...about, question, answer, answer_type: answerType, ...(choices.length > 0 ? { choices } : {}) });
    }
  }
  writeFileSync(join(folder, "rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

beforeAll(async () => {
  await writeQuestions();
  const options = { modelFolder: model, initialise: "pretrained", seed: 1, freeze: [], threads: 1 } as const;
  const engine = await openLocalEngine({ ...options, microBatchTokens: 1024, rows: 4 }, await openProcessor(model));
  for (const seed of [1, 2]) {
    const adapter = await engine.adapters!.open({ lora: { r: 2, lora_alpha: 4, target_modules: ["q_proj"] }, seed });
    await adapter.save(join(folder, `adapter-${seed}`), { training: false });
  }
  await engine.close();
});

const rowsOf = (file: string) =>
  readFileSync(join(folder, file), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("questions that are routed", () => {
  const index = ["index", model, ...data, "24", "--by", "modality"];

  it("are answered by the experts of an index, with thoughts that end early", async () => {
    const made = await vivaOk(
      ...[
        folder,
        ...index,
        "--expert",
        "ct=adapter-1",
        "--expert",
        "mri=adapter-2",
        "--out",
        "cases.safetensors",
        "--json",
      ],
    );
    const { cases } = JSON.parse(made.stdout) as { cases: Record<string, number> };
    expect(cases["ct"]! + cases["mri"]! + cases[""]!).toBe(24); // films are the model's own
    const control = ["--route", "cases.safetensors", "--route-options", "k=3,context=1", "--stop", "confidence"];
    const { stdout } = await vivaOk(
      ...[folder, "eval", model, ...data, "8", "--prompt", "think_answer", "--max-completion-length", "60"],
      ...[...control, "--stop-threshold", "0.5", "--no-nearest-neighbour", "--out", "routed.jsonl"],
    );
    expect(stdout).toMatch(/thoughts: [\d.]+ % ended early, [\d.]+ tokens an answer and [\d.]+ of trials/);
    expect(stdout).toMatch(/questions by who answered: .*(ct|mri) \d/);
    const rows = rowsOf("routed.jsonl");
    const items = rows.filter(({ kind }) => kind === "item");
    expect(items).toHaveLength(8);
    const own = items.filter(({ expert, strata }) => expert === (strata.modality === "x-ray" ? null : strata.modality));
    expect(own.length).toBeGreaterThanOrEqual(4); // kinds of image look different
    expect(Object.keys(items[0].thought)).toEqual(["sentences", "trials", "trial_tokens"]);
    const { thoughts, experts } = rows.at(-1);
    expect(thoughts.tokens).toBeGreaterThan(0);
    expect(Object.values<number>(experts).reduce((sum, n) => sum + n, 0)).toBe(8);
  });

  it("are refused without what they need, in one sentence", async () => {
    const out = ["--out", "x.safetensors"];
    const evaluate = ["eval", model, ...data, "2", "--out", "y.jsonl"];
    writeFileSync(join(folder, "none.safetensors"), "no index");
    const mistakes: readonly (readonly [string, readonly string[]])[] = [
      ['no question has modality "pet"', [...index, "--expert", "pet=adapter-1", ...out]],
      ["is a whole model", [...index, "--expert", `ct=${model}`, ...out]],
      ["asks for no thought", [...evaluate, "--stop", "confidence"]],
      ["none.safetensors", [...evaluate, "--route", "none.safetensors", "--route-options", "k=1"]],
      ["belong to --stop RULE", [...evaluate, "--min-sentences", "2"]],
      ["k: ", [...evaluate, "--route", "none.safetensors", "--route-options", "k=0"]],
    ];
    await Promise.all(
      mistakes.map(async ([message, args]) => {
        const { code, stderr } = await viva(folder, ...args);
        expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
      }),
    );
  });
});

describe("a threshold", () => {
  it("is chosen on validation questions, and read by --stop", async () => {
    const { stdout } = await vivaOk(
      ...[folder, "calibrate", model, ...data, "8", "--prompt", "think_answer", "--max-completion-length", "60"],
      ...["--max-loss", "100", "--out", "stop.json"],
    );
    expect(stdout).toContain("whole thoughts");
    const found = JSON.parse(readFileSync(join(folder, "stop.json"), "utf8"));
    expect(found).toMatchObject({ stop: "confidence", min_sentences: 1, score: "avg2", max_loss: 100 });
    expect(found.data.split).toBe("validation");
    expect(found.thresholds.length).toBeGreaterThan(5);
    const asked = ["eval", model, ...data, "2", "--prompt", "think_answer", "--no-nearest-neighbour"];
    writeFileSync(join(folder, "stop-half.json"), JSON.stringify({ ...found, threshold: 0.5 }));
    await vivaOk(folder, ...asked, "--stop", "stop-half.json", "--out", "half.jsonl");
    expect(rowsOf("half.jsonl").at(-1).thoughts.tokens).toBeGreaterThan(0);
  });
});

describe("viva serve", () => {
  it("ends thoughts early and routes, over the same API", async () => {
    const args = ["serve", model, "--port", "0", "--json", "--threads", "1", "--prompt-style", "think_answer"];
    const control = ["--stop", "confidence", "--stop-threshold", "0", "--route", "cases.safetensors"];
    const { child, finished } = start(folder, [...args, ...control]);
    try {
      const line = await new Promise<string>((resolve, reject) => {
        child.stdout!.once("data", resolve);
        finished.then(({ stderr }) => reject(new Error(stderr)), reject);
      });
      const { base_url, model: name } = JSON.parse(line) as { base_url: string; model: string };
      const response = await fetch(`${base_url}/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          ...{ model: name, temperature: 0, max_completion_tokens: 60 },
          messages: [{ role: "user", content: "Is there an opacity in the left lung? Is it large?" }],
        }),
      });
      const body = (await response.json()) as { choices: { message: { content: string }; finish_reason: string }[] };
      expect(body.choices[0]!.message.content).toMatch(/^<think>[^.]*\.?<\/think><answer>/);
      expect(body.choices[0]!.finish_reason).toBe("stop");
    } finally {
      child.kill("SIGTERM");
      await finished;
    }
  });
});

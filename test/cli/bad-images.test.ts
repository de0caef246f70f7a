import { cpSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { expectMistake, set } from "./mistakes.ts";
import { tinyRecipe, truncateFile, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const model = at("model");
const good = at("films");

/** Films of which two are cut short behind their headers; each is seen in twelve steps of one example. */
async function writeBroken(name: string): Promise<string> {
  const path = await writeFilms(at(name));
  const noise = { type: "gaussian", mean: 120, sigma: 40 } as const;
  const film = await sharp({ create: { width: 56, height: 56, channels: 3, background: "#888", noise } })
    .jpeg()
    .toBuffer();
  for (const i of [5, 6]) writeFileSync(join(path, `images/${i}.jpg`), film.subarray(0, film.length * 0.7));
  return path;
}

beforeAll(async () => {
  writeTinyModel(model);
  await writeFilms(good);
  await writeBroken("broken");
  const recipe = tinyRecipe({ model, data: at("broken") });
  const [sft, grpo] = recipe.stages;
  const stages = [
    { ...sft, steps: 12, batch_size: 1 },
    { ...grpo, steps: 12, prompts_per_step: 1, steps_per_generation: 1, filter_groups: null },
  ];
  const data = { ...recipe.data, eval: null };
  writeRecipe(at("both.yaml"), { ...recipe, data, stages, evaluate: null });
  writeRecipe(at("sft.yaml"), { ...recipe, data, stages: stages.slice(0, 1), evaluate: null });
  writeRecipe(at("grpo.yaml"), { ...recipe, data, stages: stages.slice(1), evaluate: null });
  const short = [
    { ...sft, steps: 1 },
    { ...grpo, steps: 1 },
  ];
  writeRecipe(at("evaluated.yaml"), { ...tinyRecipe({ model, data: good }), stages: short });
});

describe("an image that cannot be decoded in the middle of a run", () => {
  it.each(["sft", "grpo"])(
    "stops a %s stage with its example's id; the run resumes once it is mended",
    async (kind) => {
      const path = await writeBroken(`broken-${kind}`);
      const train = ["train", `${kind}.yaml`, "--run", kind, ...set(`data.train.path=${path}`, "checkpoint.every=1")];
      const ended = await viva(folder, ...train);
      const [resumes, ...error] = ended.stderr.split(/(?<=\n)/);
      expect(resumes).toMatch(/^warning: stopped; to go on after step \d+: viva train --run \S+ --resume\n$/);
      expectMistake({ ...ended, stderr: error.join("") }, /example "film-[56]": image .*[56]\.jpg is damaged/);
      const steps = jsonLines(at(kind), "metrics.jsonl").length;
      expect(steps).toBeLessThan(12);
      const message = expect.stringMatching(/example "film-[56]"/);
      const last = jsonLines(at(kind), "events.jsonl").at(-1);
      expect(last).toEqual({ event: "error", step: steps + 1, stage: kind, message });
      cpSync(join(good, "images"), join(path, "images"), { recursive: true });
      const resume = ["train", "--run", kind, "--resume"];
      expectMistake(await viva(folder, ...resume), /data.train \(train_sha256\) changed .* --allow-changed-data/);
      await vivaOk(folder, ...resume, "--allow-changed-data");
      const changed = jsonLines(at(kind), "events.jsonl").filter(({ event }) => event === "data_changed");
      expect(changed).toMatchObject([{ step: steps, recorded: { train_sha256: expect.any(String) } }]);
      expect(jsonLines(at(kind), "metrics.jsonl").map(({ step }) => step)).toEqual(
        Array.from({ length: 12 }, (_, i) => i + 1),
      );
      expect(jsonLines(at(kind), "events.jsonl").filter(({ event }) => event === "error")).toEqual([]);
    },
  );

  it("is left out and reported with data.on_bad_image: skip, even where it is alone in a batch", async () => {
    const { stderr } = await vivaOk(folder, "train", "both.yaml", "--run", "skipped", ...set("data.on_bad_image=skip"));
    expect(stderr.match(/^warning: example "film-[56]" skipped: image \S+[56]\.jpg is damaged .*$/gm)).toHaveLength(4);
    const skipped = jsonLines(at("skipped"), "events.jsonl").filter(({ event }) => event === "example_skipped");
    expect(skipped.map(({ stage, example_id }) => `${stage} ${example_id}`).sort()).toEqual([
      "grpo film-5",
      "grpo film-6",
      "sft film-5",
      "sft film-6",
    ]);
    const metrics = jsonLines(at("skipped"), "metrics.jsonl");
    expect(metrics).toHaveLength(24);
    const empty = metrics.filter(({ step }) => skipped.some((event) => event.step === step));
    for (const line of empty) expect(line).toMatchObject({ loss: 0, "optim/grad_norm": 0 });
    for (const line of metrics) expect(Object.values(line)).not.toContain("NaN");
    const seen = jsonLines(at("skipped"), "rollouts.jsonl").map(({ example_id }) => example_id);
    expect(seen).toHaveLength(10);
  });
});

it("an image of the training data that is none stops the run before it exists", async () => {
  const path = await writeFilms(at("no-image"));
  writeFileSync(join(path, "images/5.jpg"), "GIF89a, so it says");
  const train = ["train", "sft.yaml", "--run", "no-image-run", ...set(`data.train.path=${path}`)];
  expectMistake(await viva(folder, ...train), /example "film-5": image .*5\.jpg is damaged/);
  expect(existsSync(at("no-image-run"))).toBe(false);
});

describe("an image of the evaluation data", () => {
  const evaluated = (run: string, path: string) => [
    "train",
    "evaluated.yaml",
    "--run",
    run,
    ...set(`data.eval.path=${path}`),
  ];
  const skip = set("data.on_bad_image=skip");
  const idsAtStart = (run: string) =>
    jsonLines(at(run), "evals.jsonl").flatMap(({ kind, step, example_id }) =>
      kind === "item" && step === 0 ? [example_id] : [],
    );

  it("that cannot be decoded stops the run before it exists, or is skipped", async () => {
    const path = await writeFilms(at("broken-test"));
    truncateFile(join(path, "images/13.jpg"));
    expectMistake(await viva(folder, ...evaluated("e1", path)), /example "film-13": image .*13\.jpg is damaged/);
    expect(existsSync(at("e1"))).toBe(false);
    await vivaOk(folder, ...evaluated("e2", path), ...skip);
    expect(idsAtStart("e2")).toEqual(["film-12", "film-14", "film-15"]);
    const reason = expect.stringMatching(/13\.jpg is damaged/);
    const event = { event: "example_skipped", step: 0, stage: "start", example_id: "film-13", reason };
    expect(jsonLines(at("e2"), "events.jsonl").filter((line) => line.event === "example_skipped")).toEqual([event]);
    const evaluate = ["eval", "e2", "--data", "jsonl", "--path", path, "--out", "items.jsonl"];
    expectMistake(await viva(folder, ...evaluate), /13\.jpg is damaged/);
    expect(existsSync(at("items.jsonl"))).toBe(false);
  });

  it("that is not there is refused, or skipped and recorded", async () => {
    const path = await writeFilms(at("lost-test"), (row, i) => (i === 3 ? { ...row, image: "images/lost.jpg" } : row));
    const both = [...evaluated("e3", path), ...set(`data.train.path=${path}`)];
    expectMistake(await viva(folder, ...both), /lost\.jpg of "film-3" \(no such file\)/);
    expect(existsSync(at("e3"))).toBe(false);
    await vivaOk(folder, ...both, ...skip);
    expect(jsonLines(at("e3"), "events.jsonl")[0]).toMatchObject({ event: "example_skipped", example_id: "film-3" });
  });
});

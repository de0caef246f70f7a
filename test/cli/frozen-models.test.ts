/** What is learned of models that stay as they are: killed and resumed to the same bytes, and asked like any other model. */
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { normal, randomKey } from "../../src/core/random.ts";
import { BAGS_FILE, writeBag } from "../../src/data/bags.ts";
import { filesBelow, interrupted, jsonLines, root, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { writeFilms, writeRows } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: readonly string[]) => join(folder, ...path);
/** A folder's files by name, as text. */
const contents = (run: string) =>
  Object.fromEntries(filesBelow(at(run)).map((file) => [file, readFileSync(at(run, file)).toString("base64")]));

/** Kills a command that writes a state after every epoch, once it has written it at least so many times. */
async function killedAfter(states: number, state: string, args: readonly string[]): Promise<void> {
  let [seen, last] = [0, ""];
  const when = () => {
    const now = existsSync(at(state)) ? readFileSync(at(state)).toString("base64") : "";
    if (now !== last) [seen, last] = [seen + 1, now];
    return seen > states;
  };
  const { signal } = await interrupted(folder, [...args], { signal: "SIGKILL", when });
  expect(signal).toBe("SIGKILL");
}

describe("viva reprogram", () => {
  const questions = ["--data", "jsonl", "--path", "films"];
  const command = (out: string, ...more: readonly string[]) =>
    [
      "reprogram",
      "model",
      ...questions,
      "--size",
      "56",
      "--epochs",
      "6",
      "--batch-size",
      "6",
      "--out",
      out,
      ...more,
    ] as const;

  beforeAll(async () => {
    cpSync(join(root, "assets/viva-tiny-instruct"), at("model"), { recursive: true });
    await writeFilms(at("films"), (row, i) => ({ ...row, question: "Which?", answer: i >= 6 ? "bright" : "dark" }));
    writeRows(
      at("films/test.jsonl"),
      jsonLines(at("films/test.jsonl")).map((row) => ({ ...row, question: "Which?", answer: "bright" })),
    );
    await vivaOk(folder, ...command("whole", "--mapping", "learned"));
  }, 120_000);

  it("goes on after kill -9 to the same bytes, and leaves the model's files alone", async () => {
    const before = contents("model");
    const args = command("killed", "--mapping", "learned");
    await killedAfter(2, "killed/visual_prompt.safetensors", args);
    const { code, stderr } = await viva(folder, ...args);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("killed holds a reprogramming: choose another, or --resume"),
    ]);
    await vivaOk(folder, ...args, "--resume");
    expect(contents("killed")).toMatchObject(contents("whole")); // beside what the kill left half-written
    expect(contents("model")).toEqual(before);
    const other = await viva(folder, ...args, "--resume", "--learning-rate", "0.1");
    expect(other.stderr).toContain("was trained with other settings");
  }, 120_000);

  it("is evaluated like any other model, to the accuracy that it said", async () => {
    const { accuracy } = JSON.parse(readFileSync(at("whole/reprogram.json"), "utf8"));
    const asked = ["eval", "whole", ...questions, "--out", "answers.jsonl"];
    const { stdout } = await vivaOk(folder, ...asked, "--json");
    expect(JSON.parse(stdout).subsets.overall.accuracy.estimate).toBe(accuracy.reprogrammed.estimate);
    const answers = jsonLines(at("answers.jsonl")).flatMap(({ kind, prediction }) =>
      kind === "item" ? [prediction] : [],
    );
    expect(new Set(["bright", "dark", ...answers]).size).toBe(2);
    for (const [more, said] of [
      [["--num-generations", "2", "--temperature", "1"], "it has one answer to a question"],
      [["--prompt", "plain"], "--prompt: whole is reprogrammed, and its answers are classes"],
    ] as const) {
      const refused = await viva(folder, ...asked, ...more);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(said)]);
    }
  }, 120_000);

  it("is refused on weights that are not those it was trained on", async () => {
    appendFileSync(at("model/config.json"), "\n");
    const { code, stderr } = await viva(folder, "eval", "whole", ...questions, "--out", "other.jsonl");
    expect([code, stderr]).toEqual([2, expect.stringContaining("whole is of other weights than those in")]);
  }, 60_000);
});

describe("viva bags train", () => {
  const command = (out: string) =>
    ["bags", "train", "bags", "--pool", "attention", "--sampling", "inverse", "--epochs", "40", "--out", out] as const;

  it("goes on after kill -9 to the same bytes", async () => {
    mkdirSync(at("bags/files"), { recursive: true });
    const rows = Array.from({ length: 30 }, (_, i) => {
      const key = randomKey(1, "bag", i);
      const features = Array.from({ length: 12 }, (_, k) =>
        Float32Array.from({ length: 8 }, (_, j) => normal(key, 8 * k + j)),
      );
      writeBag(
        at("bags/files", `${i}.safetensors`),
        features,
        features.map((_, k) => [k, 0]),
      );
      return { id: `bag-${i}`, split: i < 24 ? "train" : "test", target: i % 7, file: `files/${i}.safetensors` };
    });
    writeRows(at("bags", BAGS_FILE), rows);
    await vivaOk(folder, ...command("bags-whole"));
    await killedAfter(3, "bags-killed/attention-inverse-1.safetensors", command("bags-killed"));
    await vivaOk(folder, ...command("bags-killed"), "--resume");
    expect(contents("bags-killed")).toMatchObject(contents("bags-whole"));
  }, 60_000);

  it("does so too where a frozen model reads the bags, and leaves its files alone", async () => {
    cpSync(join(root, "assets/viva-tiny-instruct"), at("reader"), { recursive: true });
    const before = contents("reader");
    const rows = jsonLines(at("bags", BAGS_FILE)).map((row) => ({ ...row, file: `../bags/${row.file}` }));
    mkdirSync(at("few"));
    writeRows(at("few", BAGS_FILE), [...rows.slice(0, 4), ...rows.slice(-2)]);
    const options = ["--pool", "attention", "--sampling", "none", "--epochs", "2", "--model", "reader"];
    const read = (out: string, tokens = "2") =>
      ["bags", "train", "few", ...options, "--tokens", tokens, "--out", out] as const;
    const { stdout } = await vivaOk(folder, ...read("read-whole"));
    expect(stdout).toMatch(/unread %[\s\S]*\ntokens +none +1 /);
    await killedAfter(0, "read-killed/tokens-none-1.safetensors", read("read-killed"));
    await vivaOk(folder, ...read("read-killed"), "--resume");
    expect(contents("read-killed")).toMatchObject(contents("read-whole"));
    expect(contents("reader")).toEqual(before);
    const other = await viva(folder, ...read("read-killed", "3"), "--resume");
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/of other settings|with other settings/)]);
  }, 120_000);
});

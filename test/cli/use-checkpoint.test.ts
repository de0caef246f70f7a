import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parseDocument } from "yaml";
import type { LiveDelta, LiveQuestion } from "../../src/core/live-answers.ts";
import { evaluationSubset } from "../../src/session/examples.ts";
import { liveAnswers } from "../../src/session/live-answers.ts";
import { interrupted, jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeRows, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const data = at("films");
const both = { accuracy: 1, facts: 0.5 };
const films = ["--data", "jsonl", "--path", data];
const rows = [9, 2, 14].flatMap((i) => {
  return ["Is the film bright?", "Is it dark?"].map((question) => ({ image: `films/images/${i}.jpg`, question }));
});

interface Completion {
  readonly text: string;
  readonly token_ids: readonly number[];
  readonly log_probs: readonly number[];
  readonly finish_reason: string;
}

/** An answer of viva generate without its log-probs. */
const unscored = ({ completions, ...rest }: { readonly completions: readonly Completion[] }) => ({
  ...rest,
  completions: completions.map(({ log_probs, ...own }) => own),
});

function expectNear(found: readonly number[], expected: readonly number[]): void {
  expect(found).toEqual(expected.map((logProb) => expect.closeTo(logProb, 5)));
}

beforeAll(async () => {
  const findings = [{ finding: "nodule", side: "left", box: [4, 6, 20, 24] }];
  const facts = { modality: "x-ray", organ: "chest", findings };
  await writeFilms(data, (row) => ({ ...row, facts }));
  const recipe = tinyRecipe({ model: writeTinyModel(at("model")), data });
  const stages = recipe.stages.map((stage) => ("rewards" in stage ? { ...stage, rewards: both } : stage));
  writeRecipe(at("tiny.yaml"), { ...recipe, stages });
  const { stdout } = await vivaOk(folder, "train", "tiny.yaml", "--run", "run", "--json");
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.filter(({ type }) => type === "step").map(({ metrics }) => typeof metrics.loss)).toEqual(
    Array(8).fill("number"),
  );
  const drawn = jsonLines(folder, "run/rollouts.jsonl").map(({ regions }) => regions);
  expect(drawn[0]).toEqual([{ image: 0, label: "nodule left", box: [4, 6, 20, 24] }]); // as the rows say
  writeRows(at("rows.jsonl"), rows);
});

describe("viva generate", () => {
  const generate = async (out: string, ...args: readonly string[]) => {
    await vivaOk(
      folder,
      "generate",
      "run",
      "--rows",
      "rows.jsonl",
      "--out",
      out,
      "--max-completion-length",
      "6",
      ...args,
    );
    return jsonLines(folder, out);
  };
  const several = ["--num-generations", "8", "--seed", "5"];

  it("writes a line per row, the same for the same seed", async () => {
    const lines = await generate("first.jsonl", ...several);
    expect(lines.map(({ row }) => row)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const { row, prompt_tokens, image_tokens, completions, ...rest } of lines) {
      expect(rest).toEqual({});
      expect(row).toBeGreaterThan(0);
      expect(image_tokens).toBe(4);
      expect(prompt_tokens).toBeGreaterThan(4);
      expect(completions).toHaveLength(8);
      for (const completion of completions as readonly Completion[]) {
        expect(Object.keys(completion).sort()).toEqual(["finish_reason", "log_probs", "text", "token_ids"]);
        expect(completion.log_probs).toHaveLength(completion.token_ids.length);
        expect(completion.token_ids.length).toBeLessThanOrEqual(6);
        for (const logProb of completion.log_probs) expect(logProb).toBeLessThanOrEqual(0);
        const ended = [2040, 2042].includes(completion.token_ids.at(-1)!);
        expect(completion.finish_reason).toBe(ended ? "stop" : "length");
      }
    }
    await generate("second.jsonl", ...several);
    expect(readFileSync(at("second.jsonl"), "utf8")).toBe(readFileSync(at("first.jsonl"), "utf8"));
  });

  it("gives others for another seed, and without a seed's help the likeliest", async () => {
    const texts = (lines: readonly { completions: readonly Completion[] }[]) =>
      lines.map(({ completions }) => completions.map(({ text }) => text));
    const other = await generate("other.jsonl", "--num-generations", "8", "--seed", "6");
    expect(texts(other)).not.toEqual(texts(jsonLines(folder, "first.jsonl")));
    const greedy = texts(await generate("greedy.jsonl"));
    expect(texts(await generate("greedy-6.jsonl", "--seed", "6"))).toEqual(greedy);
    expect(greedy.every((completions) => completions.length === 1)).toBe(true);
  });

  it("answers as the pages' questions are, which the run's own rewards score beside a reference", async () => {
    const said: string = jsonLines(folder, "greedy.jsonl")[0].completions[0].text;
    const play = liveAnswers();
    const { image, question } = rows[0]!;
    const ask = async (reference: LiveQuestion["reference"], path = at(image)) => {
      const images = [{ path, bytes: readFileSync(at(image)) }];
      const asked = { folder: at("run"), step: null, images, question, choices: [], reference, example: null };
      const decoding = { samples: 1, temperature: 0, seed: 0, maxTokens: 6 };
      const deltas: LiveDelta[] = [];
      for await (const delta of play.ask({ ...asked, ...decoding }, new AbortController().signal)) deltas.push(delta);
      return deltas.at(-1)!;
    };
    try {
      expect(await ask(null)).toMatchObject({ text: said, done: true });
      const { text, scores } = await ask({ answer: said, answerType: "open" });
      expect([text, scores]).toMatchObject([said, { rewards: { accuracy: 1, facts: 0 }, reward: 1, noFacts: null }]);
      expect([scores!.weights, scores!.unasked]).toEqual([both, {}]);
      const foreign = (await ask({ answer: said, answerType: "open" }, "a file")).scores!; // of which no row says anything
      expect([foreign.rewards, foreign.noFacts]).toEqual([
        { accuracy: 1, facts: null },
        expect.stringMatching(/^no row/),
      ]);
      expect((await ask({ answer: "something else", answerType: "open" })).scores!.reward).toBe(0);
      await expect(ask({ answer: "a", answerType: "choice" })).rejects.toThrow('needs "options"');
    } finally {
      await play.close();
    }
  });

  it("and viva logprobs agree on every completion whose text gives its tokens back", async () => {
    const lines = await generate("scored.jsonl", ...several, "--temperature", "1");
    const completions = lines.flatMap(({ row, completions: own }) => {
      return (own as readonly Completion[]).map((completion) => ({ ...rows[row - 1]!, ...completion }));
    });
    const given = completions.map(({ image, question, text }) => ({ image, question, completion: text }));
    writeRows(at("given.jsonl"), given);
    const { stdout } = await vivaOk(folder, "logprobs", "run", "--rows", "given.jsonl", "--out", "logprobs.jsonl");
    expect(stdout).toBe("48 rows written to logprobs.jsonl\n");
    const scores = jsonLines(folder, "logprobs.jsonl");
    let compared = 0;
    for (const [i, { token_ids, log_probs }] of completions.entries()) {
      const { prompt_tokens, image_tokens, ...score } = scores[i];
      expect(Object.keys(score).sort()).toEqual(["log_probs", "token_ids"]);
      expect(score.token_ids.at(-1)).toBe(2042);
      expect(score.log_probs).toHaveLength(score.token_ids.length);
      expect([prompt_tokens, image_tokens]).toEqual([lines[Math.floor(i / 8)].prompt_tokens, 4]);
      if (JSON.stringify(score.token_ids) !== JSON.stringify(token_ids)) continue;
      compared++;
      for (const [t, logProb] of log_probs.entries()) {
        // Sampling leaves the vision tokens out of its softmax, which here holds little of their mass.
        expect(score.log_probs[t]).toBeLessThan(logProb + 1e-4);
        expect(score.log_probs[t]).toBeGreaterThan(logProb - 5e-3);
      }
    }
    expect(compared).toBeGreaterThan(20);
  });

  it("takes messages as it takes questions", async () => {
    const { image, question } = rows[0]!;
    const content = [
      { type: "image", image },
      { type: "text", text: question },
    ];
    const both = [
      { image, question },
      { images: [image], question },
      { messages: [{ role: "user", content }] },
      { images: [image], messages: [{ role: "user", content: [{ type: "image" }, content[1]] }] },
    ];
    writeRows(at("messages.jsonl"), both);
    const args = ["--rows", "messages.jsonl", "--max-completion-length", "4", "--prompt", "plain"];
    const out = ["--out", "messages-out.jsonl", "--json"];
    const { stdout } = await vivaOk(folder, "generate", "run/checkpoints/step-000008", ...args, ...out);
    expect(JSON.parse(stdout)).toEqual({ out: "messages-out.jsonl", rows: 4 });
    // Rows that are decoded together differ by rounding.
    const [first, ...others] = jsonLines(folder, "messages-out.jsonl").map(({ row, ...rest }) => rest);
    expect(others.map(unscored)).toEqual([first, first, first].map(unscored));
    for (const other of others) expectNear(other.completions[0].log_probs, first.completions[0].log_probs);

    const asked = { role: "user", content: question };
    const answered = [{ role: "assistant", content: "yes" }];
    writeRows(at("scored.jsonl"), [
      { image, question, completion: "yes" },
      { images: [image], prompt: [asked], completion: answered },
      { images: [image], messages: [asked, ...answered] },
    ]);
    const score = ["--rows", "scored.jsonl", "--prompt", "plain", "--out", "scored-out.jsonl", "--json"];
    await vivaOk(folder, "logprobs", "run/checkpoints/step-000008", ...score);
    const [own, ...chats] = jsonLines(folder, "scored-out.jsonl");
    expect(chats.map(({ token_ids }) => token_ids)).toEqual([own.token_ids, own.token_ids]);
    for (const { log_probs } of chats) expectNear(log_probs, own.log_probs);
  });
});

describe("viva eval", () => {
  it("measures what the run itself measured at its last step", async () => {
    const args = ["eval", "run", ...films, "--out", "items.jsonl", "--json"];
    const { stdout } = await vivaOk(folder, ...args);
    const written = jsonLines(folder, "items.jsonl");
    const own = jsonLines(folder, "run", "evals.jsonl").filter(({ step }) => step === 8);
    expect(written.map(({ kind }) => kind)).toEqual(["item", "item", "item", "item", "summary"]);
    const plain = (lines: readonly object[]) =>
      lines.map((line) => ({ ...line, step: undefined, stage: undefined, checkpoint: undefined }));
    // Each has a baseline of its own, a run its first evaluation, and so a verdict of its own.
    const ownBaselines = [own, written].map((lines) => Object.keys(lines.at(-1).subsets.overall.baselines));
    expect(ownBaselines).toEqual([
      expect.arrayContaining(["untuned"]),
      expect.arrayContaining(["question_regression"]),
    ]);
    for (const lines of [own, written]) {
      for (const subset of Object.values<{ verdict?: unknown; baselines: Record<string, unknown> }>(
        lines.at(-1).subsets,
      )) {
        delete subset.verdict;
        for (const name of ["untuned", "question_regression"]) delete subset.baselines[name];
      }
    }
    expect(plain(written)).toEqual(plain(own));
    const summary = JSON.parse(stdout);
    expect({ kind: "summary", ...summary }).toEqual(jsonLines(folder, "items.jsonl")[4]);
    const strict = written.slice(0, 4).map(({ strict: right }) => right as number);
    expect(summary.subsets.overall.accuracy.estimate).toBeCloseTo(strict.reduce((a, b) => a + b, 0) / 4, 12);
  });

  it("asks the run's own evaluation questions where no data set is named", async () => {
    await vivaOk(folder, "eval", "run", ...films, "--out", "named.jsonl");
    const { stderr } = await vivaOk(folder, "eval", "run/checkpoints/step-000008", "--out", "own.jsonl");
    expect(stderr).toMatch(/^no --data: the run's own evaluation questions, jsonl, split test\n/);
    const items = (file: string) => jsonLines(folder, file).map(({ checkpoint: _, ...line }) => line);
    expect(items("own.jsonl")).toEqual(items("named.jsonl"));
    // The same run, as if its recipe had asked half of them.
    cpSync(at("run"), at("half"), { recursive: true });
    const recipe = parseDocument(readFileSync(at("half/recipe.yaml"), "utf8"));
    recipe.setIn(["evaluate", "limit"], 2);
    recipe.set("seed", 11);
    writeFileSync(at("half/recipe.yaml"), recipe.toString());
    const ids = async (...args: readonly string[]) => {
      const { stderr: said } = await vivaOk(
        folder,
        "eval",
        "half",
        ...args,
        "--results",
        "r.json",
        "--out",
        "half.jsonl",
      );
      const { data: asked } = JSON.parse(readFileSync(at("r.json"), "utf8"));
      const lines = jsonLines(folder, "half.jsonl").slice(0, -1);
      return [lines.map(({ example_id }) => example_id), asked, said];
    };
    const chosen = (limit: number, seed: number, lines = jsonLines(data, "test.jsonl")) =>
      evaluationSubset(lines, limit, seed).map(({ id }) => id);
    const described = { name: "jsonl", split: "test", questions: 2, limit: 2, seed: 11, image_disjoint: false };
    expect(await ids()).toEqual([
      chosen(2, 11),
      described,
      expect.stringContaining("split test, 2 chosen with seed 11"),
    ]);
    expect((await ids("--limit", "3", "--seed", "5"))[0]).toEqual(chosen(3, 5));
    const asTrained = ["--split", "train", "--allow-overlap"];
    expect((await ids(...asTrained))[0]).toEqual(chosen(2, 11, jsonLines(data, "train.jsonl")));
    const probed = await vivaOk(folder, "probe", "run", "--probe", "form", "--out", "form.json");
    expect(probed.stderr).toContain("no --data: the run's own evaluation questions");
    expect(JSON.parse(readFileSync(at("form.json"), "utf8")).data).toMatchObject({ name: "jsonl", questions: 4 });
  });

  it("says what is missing where no data set is named and no run has questions", async () => {
    cpSync(at("run"), at("blind"), { recursive: true });
    const recipe = parseDocument(readFileSync(at("blind/recipe.yaml"), "utf8"));
    recipe.setIn(["data", "eval"], null);
    recipe.setIn(["evaluate", "every"], null);
    recipe.setIn(["checkpoint", "best"], null);
    writeFileSync(at("blind/recipe.yaml"), recipe.toString());
    for (const [args, error] of [
      [["eval", "model"], /--data is missing: model is no run.*viva data list/],
      [["probe", "viva-tiny-instruct"], /--data is missing: viva-tiny-instruct is no run/],
      [["eval", "blind"], /--data is missing, and the run blind has no data.eval/],
      [["eval", "--predictions", "items.jsonl"], /--data is missing: name the data set/],
      [["eval", "run", "--path", data], /--path belongs to --data NAME/],
      [["calibrate", "run"], /required option '--data <name>' not specified/],
    ] as const) {
      const { code, stderr } = await viva(folder, ...args, "--out", "none.jsonl");
      expect([code, stderr]).toEqual([2, expect.stringMatching(error)]);
    }
    expect(existsSync(at("none.jsonl"))).toBe(false);
  });

  it("prints a table for people and takes a subset", async () => {
    const args = ["eval", "run", "--step", "6", ...films, "--limit", "2", "--out", "two.jsonl"];
    const { stdout } = await vivaOk(folder, ...args);
    expect(stdout).toContain("question_only");
    expect(stdout.trim().split("\n").at(-1)).toBe("items: two.jsonl");
    expect(jsonLines(folder, "two.jsonl")).toHaveLength(3);
    expect(jsonLines(folder, "two.jsonl")[0].checkpoint).toMatch(/step-000006$/);
  });
});

describe("viva eval of drawn answers, beside the untuned model, and after an interruption", () => {
  const common = [...films, "--split", "train"];

  it("draws the same answers for the same seed, and counts pass@k", async () => {
    const draw = async (out: string, seed: string) => {
      const drawn = ["--num-generations", "4", "--temperature", "1.2", "--top-k", "50", "--seed", seed];
      await vivaOk(folder, "eval", "run", ...common, ...drawn, "--max-completion-length", "4", "--out", out);
      return readFileSync(at(out), "utf8");
    };
    const first = await draw("drawn.jsonl", "3");
    expect(await draw("drawn-again.jsonl", "3")).toBe(first);
    expect(await draw("drawn-other.jsonl", "4")).not.toBe(first);
    const lines = jsonLines(folder, "drawn.jsonl");
    expect(lines[0].predictions).toHaveLength(4);
    expect(lines.at(-1).sampled.at_k["4"].pass.estimate).toBeGreaterThanOrEqual(
      lines.at(-1).sampled.at_k["1"].pass.estimate,
    );
    expect(lines.at(-1).conditions.decoding).toEqual({
      ...{ num_generations: 4, temperature: 1.2, top_p: 1, top_k: 50, seed: 3, max_completion_length: 4 },
    });
  });

  it("stands an untuned model beside the tuned one, asked in the same way", async () => {
    const args = ["eval", "run", ...common, "--max-completion-length", "4", "--out", "beside.jsonl", "--json"];
    const { stdout } = await vivaOk(folder, ...args, "--baseline-model", "run/checkpoints/step-000006");
    await vivaOk(folder, "eval", "run", ...common, ...args.slice(8, 10), "--step", "6", "--out", "six.jsonl");
    const { untuned } = JSON.parse(stdout).subsets.overall.baselines;
    const six = jsonLines(folder, "six.jsonl").at(-1);
    expect(untuned.accuracy).toBe(six.subsets.overall.accuracy.estimate);
    const compared = await vivaOk(folder, "compare", "six.jsonl", "beside.jsonl", "--json");
    const { accuracy: _, ...paired } = untuned;
    expect(JSON.parse(compared.stdout).subsets[0].arms[0]).toMatchObject(paired);
    const own = await viva(folder, ...args, "--baseline-model", "own");
    expect([own.code, own.stderr]).toEqual([2, expect.stringContaining("run was trained from random weights")]);
  });

  it("goes on after kill -9 and ends like an evaluation never stopped", async () => {
    const rows = jsonLines(data, "train.jsonl");
    const many = Array.from({ length: 600 }, (_, i) => ({
      ...rows[i % 12],
      id: `many-${i}`,
      image: rows[i % 12].image,
    }));
    writeRows(at("films", "validation.jsonl"), many);
    const command = (out: string) => [
      ...["eval", "run", ...films, "--split", "validation", "--no-nearest-neighbour", "--allow-overlap"],
      ...["--max-completion-length", "4", "--out", out],
    ];
    const partial = at("long.partial.jsonl");
    const kept = () => (existsSync(partial) ? readFileSync(partial, "utf8").split("\n").length - 2 : 0);
    const { signal } = await interrupted(folder, command("long.jsonl"), {
      signal: "SIGKILL",
      when: () => kept() >= 40,
    });
    expect(signal).toBe("SIGKILL");
    const before = kept();
    expect(before).toBeLessThan(600);
    const { stderr } = await vivaOk(folder, ...command("long.jsonl"));
    expect(stderr).toMatch(/going on with \d+ of 600 questions answered/);
    await vivaOk(folder, ...command("whole.jsonl"));
    expect(readFileSync(at("long.jsonl"), "utf8")).toBe(readFileSync(at("whole.jsonl"), "utf8"));
    expect(existsSync(partial)).toBe(false);
  });
});

describe("viva compare of runs", () => {
  it("compares a run's evaluation with a file of the same questions, and refuses other conditions", async () => {
    await vivaOk(folder, "eval", "run", ...films, "--out", "last.jsonl");
    const { stdout } = await vivaOk(folder, "compare", "run", "last.jsonl");
    expect(stdout).toContain("protocol viva, 4 questions about 4 subjects");
    expect(stdout).toContain("last: not shown: 0.0 [0.0, 0.0] points against run");
    const step = await viva(folder, "compare", "run", "last.jsonl", "--step", "0");
    expect([step.code, step.stderr]).toEqual([
      2,
      expect.stringContaining("last.jsonl is no run: only a run has evaluations of several steps"),
    ]);
    await vivaOk(folder, "eval", "run", ...films, "--out", "short.jsonl", "--max-completion-length", "2");
    const refused = await viva(folder, "compare", "run", "short.jsonl");
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/run and short differ in decoding \(max_completion_length 4 against 2\): --allow decoding/),
    ]);
    const allowed = await vivaOk(folder, "compare", "run", "short.jsonl", "--allow", "decoding");
    expect(allowed.stdout).toContain("differs: decoding of short (max_completion_length 4 against 2)");
  });
});

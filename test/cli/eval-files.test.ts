import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { comparisonSchema } from "../../src/evaluate/compare.ts";
import { resultsSchema } from "../../src/evaluate/results.ts";
import { jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { writeFilms, writeRows } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const data = ["--data", "jsonl", "--path", "films"];

beforeAll(async () => {
  await writeFilms(at("films"));
  const predict = (file: string, answer: (i: number) => unknown) =>
    writeRows(
      at(file),
      [12, 13, 14, 15].map((i) => ({ example_id: `film-${i}`, prediction: answer(i) })),
    );
  predict("right.jsonl", (i) => (i % 2 === 0 ? "Yes" : "No."));
  predict("wrong.jsonl", (i) => (i === 13 ? "who knows" : i % 2 === 0 ? "no" : "yes"));
  predict("several.jsonl", (i) => ["no", i % 2 === 0 ? "yes" : "no"]);
});

describe("viva eval --predictions", () => {
  it("writes items, results by the schema and samples in lmms-eval's manner, under several protocols", async () => {
    const files = ["--out", "items.jsonl", "--results", "results.json", "--samples", "samples.jsonl"];
    const protocols = ["--protocol", "viva", "--protocol", "lmms"];
    const { stdout } = await vivaOk(folder, "eval", "--predictions", "right.jsonl", ...data, ...files, ...protocols);
    expect(stdout).toMatch(/protocol viva, right\.jsonl\n.*\n *overall +4 +100\.0/);
    expect(stdout).toContain("protocol lmms, right.jsonl");
    expect(jsonLines(folder, "items.jsonl").map(({ kind, protocol }) => `${kind} ${protocol}`)).toEqual([
      ...Array(4).fill("item viva"),
      "summary viva",
      ...Array(4).fill("item lmms"),
      "summary lmms",
    ]);
    const results = resultsSchema.parse(JSON.parse(readFileSync(at("results.json"), "utf8")));
    expect(results).toMatchObject({
      data: { name: "jsonl", split: "test", questions: 4, limit: null, seed: 42, image_disjoint: false },
      subject: "right.jsonl",
      prompt: null,
    });
    const [viva_, lmms] = results.protocols;
    expect([viva_!.protocol, lmms!.protocol]).toEqual(["viva", "lmms"]);
    expect(viva_!.subsets.overall!.accuracy).toMatchObject({ estimate: 1, n: 4, subjects: 4 });
    expect(Object.keys(viva_!.subsets.overall!.baselines)).toEqual([
      "majority",
      "question_only",
      "question_regression",
      "nearest_neighbour",
    ]);
    expect(viva_!.conditions).toMatchObject({ questions: { n: 4 }, prompt: null, decoding: null, images: null });
    const samples = jsonLines(folder, "samples.jsonl");
    expect(samples.map(({ doc_id }) => doc_id)).toEqual([0, 1, 2, 3]);
    expect(samples[0]).toMatchObject({
      doc: { example_id: "film-12", subject_id: "patient-12", answer_type: "closed" },
      input: "Is the film bright?",
      target: "yes",
      resps: [["Yes"]],
      filtered_resps: ["Yes"],
      viva_accuracy: 1,
      viva_lenient_accuracy: 1,
      lmms_lenient_accuracy: 1,
    });
    expect(new Set(samples.map(({ doc_hash }) => doc_hash)).size).toBe(4);
  });

  it("chooses the best baseline on validation questions, where the data have them", async () => {
    const verdictOf = async (...more: readonly string[]) => {
      await vivaOk(folder, "eval", "--predictions", "right.jsonl", ...data, "--out", "chosen.jsonl", ...more);
      return jsonLines(folder, "chosen.jsonl").at(-1).subsets.overall;
    };
    const without = await verdictOf();
    expect(without.verdict.chosen_on).toBe("these questions");
    expect(without.baselines.majority).not.toHaveProperty("validation");
    const rows = jsonLines(at("films"), "test.jsonl");
    writeRows(
      at("films/validation.jsonl"),
      rows.slice(0, 3).map((row: object, i: number) => ({ ...row, id: `v-${i}`, subject: `v-${i}` })),
    );
    const found = await verdictOf();
    expect(found.verdict.chosen_on).toBe("validation");
    const scores = Object.values<{ validation: number }>(found.baselines).map(({ validation }) => validation);
    expect(scores.map((score) => Math.round(3 * score) / 3)).toEqual(scores); // three questions
    expect(found.baselines[found.verdict.against].validation).toBe(Math.max(...scores));
    expect((await verdictOf("--validation", "none")).verdict.chosen_on).toBe("these questions");
    const wrong = await viva(
      folder,
      "eval",
      "--predictions",
      "right.jsonl",
      ...data,
      "--out",
      "chosen.jsonl",
      ...["--validation", "held"],
    );
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('no split "held"')]);
  });

  it("takes several answers to a question, and tells what is wrong with a file", async () => {
    await vivaOk(folder, "eval", "--predictions", "several.jsonl", ...data, "--out", "several-items.jsonl");
    const { sampled } = jsonLines(folder, "several-items.jsonl").at(-1);
    expect(sampled).toMatchObject({ generations: 2, at_k: { "2": { pass: { estimate: 1 } } } });
    writeRows(at("few.jsonl"), [{ example_id: "film-12", prediction: "yes" }]);
    const { code, stderr } = await viva(
      folder,
      "eval",
      "--predictions",
      "few.jsonl",
      ...data,
      "--out",
      "few-items.jsonl",
    );
    expect([code, stderr]).toEqual([2, expect.stringContaining("3 of 4 questions have no prediction")]);
  });
});

describe("viva compare", () => {
  it("pairs evaluations of the same questions, as tables and by its schema", async () => {
    for (const name of ["right", "wrong"]) {
      await vivaOk(folder, "eval", "--predictions", `${name}.jsonl`, ...data, "--out", `${name}-items.jsonl`);
    }
    const files = ["wrong-items.jsonl", "right-items.jsonl", "several-items.jsonl"];
    const { stdout } = await vivaOk(folder, "compare", ...files, "--out", "comparison.json");
    expect(stdout).toContain("right-items: not shown: +100.0 [+100.0, +100.0] points against wrong-items"); // four questions
    const three = await vivaOk(folder, "compare", "wrong-items.jsonl", "right-items.jsonl", "--baseline", files[2]!);
    expect(three.stdout).toMatch(
      /right-items: not shown: .* against several-items, the best baseline on these questions/,
    );
    const comparison = comparisonSchema.parse(JSON.parse(readFileSync(at("comparison.json"), "utf8")));
    expect(comparison).toMatchObject({ reference: "wrong-items", arms: ["right-items", "several-items"] });
    const [overall, closed] = comparison.subsets;
    expect([overall!.value, closed!.value]).toEqual(["overall", "closed"]);
    const [right, several] = overall!.arms;
    expect(right).toMatchObject({ verdict: "better", won: 4, lost: 0, mcnemar_p: 0.125, holm_p: 0.25 });
    expect(several).toMatchObject({ won: 2, lost: 0, mcnemar_p: 0.5, holm_p: 0.5 });
    const json = await vivaOk(folder, "compare", ...files, "--json");
    expect(JSON.parse(json.stdout)).toEqual(comparison);
  });

  it.each<[string, readonly string[], RegExp]>([
    ["one alone", ["right-items.jsonl"], /needs two evaluations or more/],
    ["the same twice", ["right-items.jsonl", "right-items.jsonl"], /named twice/],
    ["no file", ["right-items.jsonl", "nothing.jsonl"], /nothing\.jsonl: there is no such file or run/],
    ["predictions", ["right-items.jsonl", "right.jsonl"], /right\.jsonl has no complete evaluation/],
    ["a folder", ["right-items.jsonl", "films"], /films is a folder without a recipe\.yaml/],
    [
      "another protocol",
      ["right-items.jsonl", "wrong-items.jsonl", "--protocol", "lmms"],
      /no evaluation under .* lmms/,
    ],
    ["an unknown condition", ["right-items.jsonl", "wrong-items.jsonl", "--allow", "questions"], /one of prompt, deco/],
  ])("refuses %s", async (_, args, message) => {
    const finished = await viva(folder, "compare", ...args);
    expect([finished.code, finished.stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { lengthAuditSchema } from "../../src/evaluate/length-audit-results.ts";
import { root, temporaryFolder, viva, vivaOk } from "./command-line.ts";

const folder = temporaryFolder();
const film = join(root, "docs/phantoms.png");
const written = (name: string, rows: readonly object[]) => {
  writeFileSync(join(folder, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return name;
};
/** Pairs whose better completion is right, and the longer one in half of them. */
const pairs = Array.from({ length: 12 }, (_, i) => {
  const [right, wrong] = i % 2 === 0 ? ["yes", "no"] : ["no", "yes"];
  const long = (answer: string) => `<think>The film shows this and that and more.</think><answer>${answer}</answer>`;
  const short = (answer: string) => `<think>So.</think><answer>${answer}</answer>`;
  const [chosen, rejected] = i % 4 < 2 ? [long(right!), short(wrong!)] : [short(right!), long(wrong!)];
  return {
    id: `p${i}`,
    subject: `s${i}`,
    question: "Is there an opacity?",
    answer: right,
    image: film,
    chosen,
    rejected,
  };
});

beforeAll(() => {
  writeFileSync(
    join(folder, "long.mjs"),
    "export default () => ({ score: (e, all) => all.map(({ text }) => text.length) });",
  );
  writeFileSync(
    join(folder, "recipe.yaml"),
    `name: audited
model: { path: viva-tiny-instruct }
data: { train: { name: phantom } }
stages:
  - kind: grpo
    steps: 1
    rewards: { accuracy: 1, long: { weight: 0.001, module: ./long.mjs } }
evaluate: null
`,
  );
});

describe("viva rewards audit", () => {
  it("tells a reward of right answers from one of length", async () => {
    const file = written("pairs.jsonl", pairs);
    const { stdout: text } = await vivaOk(
      folder,
      "rewards",
      "audit",
      file,
      "--recipe",
      "recipe.yaml",
      "--json",
      "--out",
      "audit.json",
    );
    const { audits } = lengthAuditSchema.parse(JSON.parse(text));
    const of = (scorer: string, name: string, condition: string | null = null) =>
      audits
        .find((audit) => audit.scorer === scorer)!
        .measures.find((measure) => measure.name === name && measure.condition === condition)!.interval?.estimate;
    expect(audits.map(({ scorer }) => scorer)).toEqual(["accuracy", "long", "the weighted sum"]);
    expect(of("accuracy", "accuracy")).toBe(1);
    expect(of("accuracy", "longer_preferred")).toBe(0.5);
    expect([of("long", "accuracy_longer_better"), of("long", "accuracy_shorter_better")]).toEqual([1, 0]);
    expect(of("long", "length_instruction_accuracy", "at most N words")).toBe(0);
    expect(of("accuracy", "same_decision", "prompt emptied")).toBe(1);
  });

  it("takes scores that stand in the rows, or preferences alone, and names a score that is none", async () => {
    const scored = pairs.map((pair) => ({
      ...pair,
      chosen_score: pair.chosen.length,
      rejected_score: pair.rejected.length,
    }));
    const { stdout: text } = await vivaOk(folder, "rewards", "audit", written("scored.jsonl", scored));
    expect(text).toContain("scores in the rows, 12 pairs");
    expect(text).toMatch(/longer preferred +12 +100\.0/);
    const { stdout: alone } = await vivaOk(folder, "rewards", "audit", written("alone.jsonl", pairs));
    expect(alone).toMatch(/longer wins accuracy +12 +50\.0/);
    const bad = written("bad.jsonl", [{ ...scored[0], chosen_score: "much" }, ...scored.slice(1)]);
    const { code, stderr } = await viva(folder, "rewards", "audit", bad);
    expect([code, stderr]).toEqual([2, expect.stringContaining('chosen_score must be a number, got "much"')]);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { CompletionTurn } from "../core/records.ts";
import { adherence } from "../train/adherence.ts";
import { environmentSchema, openEnvironment } from "./index.ts";
import { readWorkflow } from "./workflow.ts";

const steps = `# Nodules

1. Look at the whole image, then \`crop\` the place.
2. \`measure\` what is there. Never \`guess\`.
3. \`crop\` the other side, then answer.

The tool \`window\` helps.`;

it("requires the tools that numbered steps name", async () => {
  const { tools } = await openEnvironment(environmentSchema.parse("viewer_tools"));
  const folder = mkdtempSync(join(tmpdir(), "viva-workflow-"));
  try {
    const file = join(folder, "steps.md");
    writeFileSync(file, steps);
    expect(readWorkflow(file, tools)).toEqual({ text: steps, calls: ["crop", "measure", "crop"] });
    writeFileSync(file, "Be careful.");
    expect(() => readWorkflow(file, tools)).toThrow("no numbered step names a tool in backticks");
    expect(() => readWorkflow(join(folder, "none.md"), tools)).toThrow("cannot be read");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("is kept to by the share of its calls that are made in order, one a turn", () => {
  const turn = (name: string | null, isError = false): CompletionTurn => {
    return { text: "", call: name === null ? null : { name, arguments: {} }, observation: { text: "", isError } };
  };
  const calls = ["crop", "measure", "crop"];
  const last: CompletionTurn = { text: "", call: null, observation: null };
  const of = (...names: (string | null)[]) => adherence(calls, [...names.map((name) => turn(name)), last]);
  expect(of("crop", "measure", "crop")).toBe(1);
  expect(of("crop", "window", "measure")).toBeCloseTo(2 / 3, 12);
  expect(of("measure", "crop")).toBeCloseTo(1 / 3, 12); // the measurement comes after the first crop
  expect(of("crop")).toBeCloseTo(1 / 3, 12);
  expect(of()).toBe(0);
  expect(adherence(calls, [turn("crop", true), turn(null), last])).toBe(0);
});

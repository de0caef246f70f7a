import { expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import type { Completion, CompletionTurn, Example } from "../core/records.ts";
import { toolFormulas, toolUse } from "./tool-use.ts";

interface Golden {
  readonly cases: readonly {
    readonly acc: number;
    readonly format_error: number;
    readonly tool: number;
    readonly r: number;
  }[];
}

itMatchesGolden<Golden>("tool_reward", "DeepEyes' sum", ({ cases }) => {
  for (const { acc, format_error, tool, r } of cases) {
    const use = { right: acc, formatError: format_error, used: tool, needed: 0 };
    expect(toolFormulas.deepeyes(use)).toBeCloseTo(r, 9);
  }
});

const example: Example = {
  ...{ id: "a", subjectId: "a", question: "?", images: [], answer: "yes", answerType: "closed", choices: [] },
  meta: { needs_tools: "yes" },
};
const call = { name: "crop", arguments: {} };
const shown = { text: "", isError: false };

function completion(answer: string, turns?: readonly CompletionTurn[]): Completion {
  const text = `<think>so</think><answer>${answer}</answer>`;
  return {
    ...{ tokenIds: Int32Array.of(1), logProbs: Float32Array.of(0), text, finishReason: "stop", policyVersion: 0 },
    ...(turns === undefined ? {} : { turns: [...turns, { text, call: null, observation: null }] }),
  };
}

const completions = [
  completion("yes"),
  completion("yes", [{ text: "", call, observation: shown }]),
  completion("yes", [{ text: "", call, observation: { text: "error", isError: true } }]),
  completion("no", [{ text: "", call, observation: shown }]),
  completion("yes", [{ text: "", call: null, observation: { text: "error", isError: true } }]),
];

it("pays for a call only with a right answer, where the example needs tools; an error is no use", () => {
  expect(toolUse({}).score(example, completions)).toEqual([1.2, 1.4, 1.2, 0.2, 1]);
  expect(toolUse({}).score({ ...example, meta: {} }, completions)).toEqual([1.2, 1.2, 1.2, 0.2, 1]);
});

it("as DeepEyes pays, any call of a right answer is worth more than the answer", () => {
  const scores = toolUse({ formula: "deepeyes" }).score({ ...example, meta: {} }, completions) as readonly number[];
  for (const [i, value] of [0.8, 2, 0.8, 0, 0.6].entries()) expect(scores[i]).toBeCloseTo(value, 12);
});

import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { UserError } from "../../core/errors.ts";
import type { Completion, Example } from "../../core/records.ts";
import { openRewardServices, openVocabulary } from "../../session/reward-services.ts";
import { semantic } from "./index.ts";

const services = openRewardServices("nowhere", { env: { JUDGE_KEY: "" } });
afterAll(() => services.close());
const vocabulary = openVocabulary(null);

const example: Example = {
  id: "e1",
  subjectId: "s1",
  question: "What is seen?",
  images: [],
  answer: "left effusion",
  answerType: "open",
  choices: [],
  rationale: "There is a left pleural effusion. No pneumothorax.",
  meta: {},
};
const { rationale: _, ...bare } = example;

function completions(...texts: readonly string[]): Completion[] {
  return texts.map((text) => ({
    tokenIds: new Int32Array(0),
    logProbs: new Float32Array(0),
    text,
    finishReason: "stop",
    policyVersion: 0,
  }));
}

const group = completions(
  "<think>Fluid: a left effusion, no pneumothorax.</think><answer>left effusion</answer>",
  "<think>There is a right effusion.</think><answer>right effusion</answer>",
  "<think>There is no effusion.</think><answer>none</answer>",
  "<think>An effusion and a left pneumothorax.</think><answer>left effusion</answer>",
  "<answer>left effusion</answer>",
);

describe("semantic by concepts", () => {
  it("is the F1 of what reasoning and reference assert", async () => {
    const reward = await semantic({ scorer: "concepts" }, { vocabulary });
    expect(await reward.score(example, group)).toEqual([1, 0, 0, 1 / 3, 0]);
    const answers = await semantic({ scorer: "concepts", of: "answer", reference: "answer" }, { vocabulary });
    expect(await answers.score(example, group)).toEqual([1, 0, 0, 1, 1]);
  });

  it("takes the answer where there is no reference reasoning, and is null where nothing is asserted", async () => {
    const reward = await semantic({ scorer: "concepts" }, { vocabulary });
    expect((await reward.score(bare, group))[0]).toBe(1);
    expect(await reward.score({ ...bare, answer: "Yes" }, group.slice(0, 2))).toEqual([null, null]);
    const strict = await semantic({ scorer: "concepts", reference: "rationale" }, { vocabulary });
    expect(await strict.score(bare, group.slice(0, 1))).toEqual([null]);
  });

  it("shows where the text agrees with the reference and where it does not", async () => {
    const reward = await semantic({ scorer: "concepts" }, { vocabulary });
    const found = reward.evidence!(example, group);
    const shown = found.map((own, i) =>
      own.map(({ start, end, concept, label, verdict }) => [group[i]!.text.slice(start, end), concept, label, verdict]),
    );
    expect(shown[0]).toEqual([
      ["effusion", "pleural effusion@left", "present", true],
      ["pneumothorax", "pneumothorax", "absent", true],
    ]);
    expect(shown[1]).toEqual([["effusion", "pleural effusion@right", "present", false]]);
    expect(shown[2]).toEqual([["effusion", "pleural effusion", "absent", "unknown"]]);
    expect(shown[3]).toEqual([
      ["effusion", "pleural effusion", "present", "unknown"],
      ["pneumothorax", "pneumothorax@left", "present", false],
    ]);
    expect(shown[4]).toEqual([]);
  });
});

describe("semantic by embedding", () => {
  const encoder = join(import.meta.dirname, "../../../test/golden/sentence_encoder/mean");

  it("is 1 for the reference's own words, less for others, and 0 for none", async () => {
    const reward = await semantic({ scorer: "embedding", encoder }, { services });
    const same = `<think>${example.rationale}</think><answer>x</answer>`;
    const scores = (await reward.score(example, completions(same, group[1]!.text, group[4]!.text))) as number[];
    expect(scores[0]).toBeCloseTo(1, 6);
    expect(scores[1]).toBeLessThan(1 - 1e-4);
    expect(scores[2]).toBe(0);
  });

  it("is null where there is nothing to compare with", async () => {
    const reward = await semantic({ scorer: "embedding", encoder, reference: "rationale" }, { services });
    expect(await reward.score(bare, group.slice(0, 1))).toEqual([null]);
  });

  it("names the folder that holds no encoder", async () => {
    await expect(semantic({ scorer: "embedding", encoder: "no-such-folder" }, { services })).rejects.toThrow(
      /no-such-folder: no model.onnx in it/,
    );
  });
});

describe("semantic by a judge", () => {
  it("refuses an address and a key that cannot be used before anything is asked", async () => {
    const judge = { scorer: "judge", model: "m" };
    const build = (o: object) => semantic({ ...judge, ...o }, { services });
    await expect(build({ base_url: "localhost" })).rejects.toThrow(UserError);
    await expect(build({ base_url: "http://x", api_key_env: "JUDGE_KEY" })).rejects.toThrow(
      /api_key_env: .* JUDGE_KEY is not set/,
    );
    await expect(build({ base_url: "http://x", retries: 1 })).rejects.toThrow(/unknown option "retries"; did you mean/);
  });
});

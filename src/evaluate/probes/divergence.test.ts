import { describe, expect, it } from "vitest";
import { promptStyle } from "../../answers/prompts.ts";
import type { Processor } from "../../core/processor.ts";
import { randomKey, uniform } from "../../core/random.ts";
import type { Example } from "../../core/records.ts";
import type { Policy } from "../../engine/engine.ts";
import type { DivergenceRow } from "../metrics/flips.ts";
import type { AskOptions } from "./ask.ts";
import { divergenceMeter } from "./divergence.ts";

const LOGITS = [1.2, 0.3, -0.5, -1];
const LENGTH = 30;

function logSoftmax(logits: readonly number[], temperature: number): readonly number[] {
  const cooled = logits.map((logit) => logit / temperature);
  const total = Math.log(cooled.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return cooled.map((logit) => logit - total);
}

/** A model that draws every token from the same distribution. */
function modelOf(logits: readonly number[]) {
  const asked: string[] = [];
  const policy: Pick<Policy, "sample" | "logProbs"> = {
    async *sample(prompts, { seed, step }) {
      for (const [index, { text }] of prompts.entries()) {
        asked.push(text);
        const key = randomKey(seed, "draw", step, index);
        const sums = logSoftmax(logits, 1).map((_, i, all) =>
          all.slice(0, i).reduce((sum, of) => sum + Math.exp(of), 0),
        );
        const tokenIds = Int32Array.from({ length: LENGTH }, (_, t) => {
          return sums.findLastIndex((below) => uniform(key, t) >= below);
        });
        const logProbs = new Float32Array(LENGTH);
        yield { index, completions: [{ tokenIds, logProbs, text: "", finishReason: "stop" }] } as never;
      }
    },
    async logProbs(groups, { temperature }) {
      const scores = logSoftmax(logits, temperature);
      return {
        logProbs: groups.map(({ completions }) => Float32Array.from(completions[0]!.tokenIds, (id) => scores[id]!)),
        entropies: [],
      };
    },
  };
  return { policy, asked };
}

const processor = {
  encode: async (messages: unknown) => ({ text: JSON.stringify(messages), tokenIds: [], images: [] }),
};
const options: AskOptions = {
  ...{ processor: processor as unknown as Processor, prompt: promptStyle("plain"), maxCompletionLength: LENGTH },
  ...{ protocol: "viva", checkpoint: "", seed: 3 },
};
const examples = (split: string, n: number) =>
  Array.from({ length: n }, (_, i): Example => {
    const id = `${split}${i}`;
    return { id, subjectId: id, images: [], question: id, answer: "", answerType: "open", choices: [], meta: {} };
  });

const perToken = (rows: readonly DivergenceRow[], of: "k1" | "k3") =>
  rows.reduce((sum, row) => sum + row[of], 0) / rows.reduce((sum, { tokens }) => sum + tokens, 0);

describe("the divergence meter", () => {
  it("estimates KL(model ‖ variant), by the model's own draws for at most 128 questions", async () => {
    const { policy, asked } = modelOf(LOGITS);
    const meter = await divergenceMeter(policy, examples("test", 150), null, options);
    expect(asked.length).toBe(128);
    const variant = [0.6, 0.9, -0.2, -1.4];
    const { rows, cooled } = await meter.of(modelOf(variant).policy, false);
    expect(cooled).toBeNull();
    expect(rows.length).toBe(128);
    const [p, q] = [logSoftmax(LOGITS, 1), logSoftmax(variant, 1)];
    const exact = p.reduce((sum, of, i) => sum + Math.exp(of) * (of - q[i]!), 0);
    // 3,840 tokens: k1's standard error is 0.008 here, k3's 0.002.
    expect(Math.abs(perToken(rows, "k1") - exact)).toBeLessThan(0.03);
    expect(Math.abs(perToken(rows, "k3") - exact)).toBeLessThan(0.01);
    // KL is not symmetric: the reverse lies farther off than that.
    const reverse = q.reduce((sum, of, i) => sum + Math.exp(of) * (of - p[i]!), 0);
    expect(Math.abs(perToken(rows, "k3") - exact)).toBeLessThan(Math.abs(perToken(rows, "k3") - reverse));
  });

  it("is 0 of the model itself", async () => {
    const { policy } = modelOf(LOGITS);
    const meter = await divergenceMeter(policy, examples("test", 10), null, options);
    for (const row of (await meter.of(policy, false)).rows) expect(row).toMatchObject({ tokens: LENGTH, k1: 0, k3: 0 });
  });

  it("finds the temperature that undoes a sharpened model, on training questions where there are some", async () => {
    const { policy, asked } = modelOf(LOGITS);
    const train = examples("train", 70);
    const meter = await divergenceMeter(policy, examples("test", 20), train, options);
    expect(asked.filter((text) => text.includes("train")).length).toBe(64);
    const sharpened = modelOf(LOGITS.map((logit) => 1.5 * logit));
    const { rows, cooled } = await meter.of(sharpened.policy, true);
    expect(cooled?.temperature).toBe(1.5);
    expect(perToken(rows, "k3")).toBeGreaterThan(0.01);
    expect(Math.abs(perToken(cooled!.rows, "k3"))).toBeLessThan(1e-9);
  });
});

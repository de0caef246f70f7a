import { describe, expect, it } from "vitest";
import { characters, promptOf, randomWaits, type Script, scriptedModel } from "../../test/control/scripted.ts";
import { stoppedDecode } from "./stop.ts";
import { stoppedPolicy } from "./stopped-policy.ts";
import { stoppedBy, traceThoughts } from "./traces.ts";
import type { StopOptions } from "./trial.ts";

const thought = "<think>It is dark. It is on the left. It is round. It grows.";
const own = `${thought}</think><answer>a nodule</answer>`;

/** Surer with every sentence; its answer is within a trial's tokens after two sentences alone. */
const script: Script = (text) => {
  if (!text.endsWith("<answer>")) return { text: own, logProb: -0.1 };
  const sentences = text.split(". ").length;
  const answer = sentences === 2 ? "no" : sentences > 2 ? "a mass or a nodule</answer>" : "yes</answer>";
  return { text: answer, logProb: -1 / sentences ** 2 };
};
const rule: StopOptions = { stop: "confidence", threshold: 0.95, minSentences: 1, score: "avg2" };
const live = { numGenerations: 1, maxCompletionLength: 200, temperature: 0, topP: 1, seed: 0 };
const sampling = { ...live, topK: 0, step: 0 };

async function stopped(o: Partial<StopOptions>, more: { script?: Script; wait?: number; most?: number } = {}) {
  const { script: said = script, wait, most = 200 } = more;
  const { model, counts } = scriptedModel(said, wait === undefined ? undefined : randomWaits(wait));
  const { tokens, endOf } = stoppedDecode(model, { ...rule, ...o })(promptOf("Q"), {
    ...live,
    maxCompletionLength: most,
  });
  const drawn = [];
  for await (const token of tokens) drawn.push(token);
  const text = characters.decode(drawn.map(({ tokenId }) => tokenId));
  return { text, tokens: drawn.length, finishReason: drawn.at(-1)!.finishReason, end: endOf(0), counts };
}

describe("a thought that may end early", () => {
  it("above 1 is whole, bit for bit", async () => {
    const { model } = scriptedModel(script);
    const plain = [];
    for await (const token of model.decode(promptOf("Q"), live).tokens) plain.push(token);
    const found = [];
    for await (const token of stoppedDecode(model, { ...rule, threshold: 1.01 })(promptOf("Q"), live).tokens) {
      found.push(token);
    }
    expect(found).toEqual(plain);
    const { end } = await stopped({ threshold: 1.01 });
    expect(end).toEqual({ sentences: null, trials: 3, trialTokens: 8 + 3 + 8 });
  });

  it("at 0 is one sentence, or as many as are asked for", async () => {
    const { text, end } = await stopped({ threshold: 0 });
    expect(text).toBe("<think>It is dark.</think><answer>yes</answer>");
    expect(end.sentences).toBe(1);
    const two = await stopped({ threshold: 0, minSentences: 2 });
    expect(two.text).toBe("<think>It is dark. It is on the left.</think><answer>no");
    expect(two.end).toEqual({ sentences: 2, trials: 1, trialTokens: 0 }); // the trial is the answer
  });

  it("ends after the first sentence whose trial is sure, with an answer of its whole length", async () => {
    // exp(-1/9) = 0.895 after three sentences, exp(-1/4) = 0.779 after two.
    const { text, end, finishReason } = await stopped({ threshold: 0.85 });
    expect(text).toBe("<think>It is dark. It is on the left. It is round.</think><answer>a mass or a nodule</answer>");
    expect(end).toEqual({ sentences: 3, trials: 3, trialTokens: 8 + 3 + 8 });
    expect(finishReason).toBe("stop");
  });

  it("does not depend on what runs when, nor on rows beside it", async () => {
    for (const threshold of [0, 0.6, 0.8, 0.85, 2]) {
      const alone = await stopped({ threshold });
      for (let seed = 0; seed < 12; seed++) {
        const { text, end, tokens } = await stopped({ threshold }, { wait: seed });
        expect({ text, end, tokens }).toEqual({ text: alone.text, end: alone.end, tokens: alone.tokens });
      }
    }
    const { model, policy } = scriptedModel(script, randomWaits(5));
    const engine = { decode: model.decode, policy: policy as never, updates: 0 };
    const prompts = Array.from({ length: 40 }, (_, i) => promptOf(`Q${i}`));
    const texts: string[] = [];
    for await (const { index, completions } of stoppedPolicy(engine, characters, { ...rule, threshold: 0.85 }).sample(
      prompts,
      { ...sampling, numGenerations: 3 },
    )) {
      texts[index] = completions.map(({ text }) => text).join("|");
    }
    const one = (await stopped({ threshold: 0.85 })).text;
    expect(texts).toEqual(new Array(40).fill([one, one, one].join("|")));
  });

  it("is what the trace of the whole thought says, by every rule", async () => {
    const { policy } = scriptedModel(script);
    const prompt = promptOf("Q", { options: ["yes", "no"] });
    const [trace] = await traceThoughts(policy, characters, [prompt], sampling);
    expect(trace!.trials).toHaveLength(3);
    expect(trace!.full.text).toBe(own);
    for (const stop of ["confidence", "options"] as const) {
      for (const threshold of [0, 0.2, 0.5, 0.6, 0.8, 0.85, 0.97, 2]) {
        const o = { ...rule, stop, threshold };
        const { model } = scriptedModel(script, randomWaits(3));
        const { tokens, endOf } = stoppedDecode(model, o)(prompt, live);
        const drawn = [];
        for await (const { tokenId } of tokens) drawn.push(tokenId);
        const { text, sentences, trialTokens, tokens: count } = stoppedBy(trace!, o);
        expect(characters.decode(drawn), `${stop} ${threshold}`).toBe(text);
        expect(endOf(0)).toMatchObject({ sentences, trialTokens });
        expect(drawn.length).toBe(count);
      }
    }
  });

  it("keeps within its length: no trial without room, an answer cut at the end", async () => {
    const short = `${"<think>It is dark.</think><answer>"}`.length;
    const { text, tokens, finishReason } = await stopped({ threshold: 0 }, { most: short + 2 });
    expect(text).toBe("<think>It is dark.</think><answer>ye");
    expect([tokens, finishReason]).toEqual([short + 2, "length"]);
    const none = await stopped({ threshold: 0 }, { most: short });
    expect(none.text).toBe(own.slice(0, short));
    expect(none.end.trials).toBe(0);
  });

  it("leaves texts without a thought alone", async () => {
    const plain: Script = () => ({ text: "It is dark. It is round. Yes.", logProb: -0.1 });
    const { text, end } = await stopped({ threshold: 0 }, { script: plain });
    expect(text).toBe("It is dark. It is round. Yes.");
    expect(end).toEqual({ sentences: null, trials: 0, trialTokens: 0 });
  });

  it("frees its rows when it is given up, and when the model fails", async () => {
    const { model, counts } = scriptedModel(script, randomWaits(1));
    const { tokens, giveUp } = stoppedDecode(model, rule)(promptOf("Q"), { ...live, numGenerations: 2 });
    let seen = 0;
    for await (const _ of tokens) if (++seen === 30) giveUp();
    expect(seen).toBeLessThan(100);
    expect(counts.tokens).toBeLessThan(2 * own.length);
    const failing = scriptedModel((text) => {
      if (text.endsWith("<answer>")) throw new Error("the worker ended");
      return script(text);
    });
    const broken = stoppedDecode(failing.model, rule)(promptOf("Q"), live);
    const read = async () => {
      for await (const _ of broken.tokens);
    };
    await expect(read()).rejects.toThrow("the worker ended");
  });
});

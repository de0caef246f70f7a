/** Prompts that join and leave a running batch: each gets the same completions as alone. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomKey } from "../../src/core/random.ts";
import type { Prompt, SamplingOptions } from "../../src/core/records.ts";
import type { LiveToken } from "../../src/engine/engine.ts";
import { Decoder, type DecoderOptions } from "../../src/engine/local/decoder.ts";
import { FeatureCache } from "../../src/engine/local/feature-cache.ts";
import { KeyValueCache } from "../../src/engine/local/key-value-cache.ts";
import { encodeEach } from "../../src/engine/local/vision-runner.ts";
import { greedy, listDifference, type Opened, openGolden, sampleAll, textPrompt } from "./setup.ts";

const stopTokenIds = Array.from({ length: 40 }, (_, i) => 10 * i);

let on: Opened;
beforeAll(() => {
  on = openGolden("grouped_tied");
});
afterAll(() => on.compute.close());

type Asked = Partial<SamplingOptions> & { readonly prompt: Prompt; readonly stops?: readonly number[] };

function openDecoder(o: Partial<DecoderOptions> & { readonly rows: number }): Decoder {
  const cache = new FeatureCache();
  const { compute, values } = on;
  const encode = ({ images }: Prompt) => encodeEach(compute, values, images, cache);
  return new Decoder(compute, async () => values, { cacheBytes: Infinity, encode, ...o });
}

/** Adds a job; returns its results and a function to cancel it. */
function ask(decoder: Decoder, { prompt, stops = stopTokenIds, ...o }: Asked) {
  const all = { ...greedy, ...o };
  const tokens: LiveToken[] = [];
  const ends: (Error | null)[] = [];
  const giveUp = decoder.add({
    ...all,
    stopTokenIds: stops,
    prompt,
    distribution: all,
    key: randomKey(all.seed, "sample", 0, 0),
    onToken: (token) => tokens.push(token),
    onEnd: (error) => ends.push(error),
  });
  return { tokens, ends, giveUp };
}

const completionsOf = (tokens: readonly LiveToken[], count: number) =>
  Array.from({ length: count }, (_, i) => {
    const own = tokens.filter(({ completion }) => completion === i);
    const finishReason = own.at(-1)?.finishReason;
    return { tokenIds: own.map(({ tokenId }) => tokenId), logProbs: own.map(({ logProb }) => logProb), finishReason };
  });

/** The same tokens; their log-probs may differ by rounding, since a row's place in the batch is another. */
function expectAlike(found: ReturnType<typeof completionsOf>, expected: typeof found, message?: string): void {
  const bare = (completions: typeof found) => completions.map(({ logProbs: _, ...rest }) => rest);
  expect(bare(found), message).toEqual(bare(expected));
  for (const [c, { logProbs }] of found.entries()) {
    for (const [t, logProb] of logProbs.entries()) {
      expect(Math.abs(logProb - expected[c]!.logProbs[t]!)).toBeLessThan(1e-4);
    }
  }
}

/** A job's result alone, from the training sampler. */
async function alone({ prompt, stops = stopTokenIds, ...o }: Asked) {
  const [group] = await sampleAll(on, [prompt], { ...greedy, ...o, stopTokenIds: stops });
  return group!.completions.map(({ tokenIds, logProbs, finishReason }) => {
    return { tokenIds: [...tokenIds], logProbs: [...logProbs], finishReason };
  });
}

async function finish(decoder: Decoder): Promise<void> {
  while (!decoder.idle) await decoder.advance();
}

/** Short and long, greedy and sampled, with and without top-p and images. */
function mixed(): Asked[] {
  const prompts = [on.golden.prompt, textPrompt(on, 9), textPrompt(on)];
  const distributions = [
    { temperature: 0 },
    { temperature: 1 },
    { temperature: 1.4, topP: 0.7 },
    { temperature: 0.6, numGenerations: 3 },
  ];
  return Array.from({ length: 24 }, (_, i) => ({
    prompt: prompts[i % 3]!,
    ...distributions[i % 4]!,
    seed: i,
    maxCompletionLength: 3 + ((5 * i) % 17),
  }));
}

describe("live decoding", () => {
  test("a job that joins a running batch gets the same tokens as alone", async () => {
    const jobs = mixed();
    const expected = [];
    for (const job of jobs) expected.push(await alone(job));
    expect(new Set(expected.flat().map(({ finishReason }) => finishReason))).toEqual(new Set(["stop", "length"]));
    const longest = Math.max(
      ...jobs.map(({ prompt, maxCompletionLength }) => prompt.tokenIds.length + maxCompletionLength!),
    );
    const rowBytes = KeyValueCache.slotBytes(on.model.language, longest);
    for (const o of [{ rows: 64 }, { rows: 5 }, { rows: 64, cacheBytes: 3 * rowBytes }, { rows: 4, cacheBytes: 1 }]) {
      const decoder = openDecoder(o);
      const asked = [];
      for (const [i, job] of jobs.entries()) {
        asked.push(ask(decoder, job));
        if (i % 3 === 2) await decoder.advance();
      }
      await finish(decoder);
      for (const [i, { tokens, ends }] of asked.entries()) {
        const found = completionsOf(tokens, jobs[i]!.numGenerations ?? 1);
        expectAlike(found, expected[i]!, `job ${i}, ${JSON.stringify(o)}`);
        expect(ends).toEqual([null]);
      }
    }
  });

  test("caches are resized while rows are decoded", async () => {
    const longPrompt = {
      ...textPrompt(on, 9),
      tokenIds: Int32Array.from({ length: 400 }, (_, i) => 1 + ((7 * i) % 300)),
    };
    const wide: Asked = { prompt: longPrompt, maxCompletionLength: 4, temperature: 1, seed: 3 };
    const long: Asked = { prompt: textPrompt(on, 9), maxCompletionLength: 400, temperature: 1, seed: 4 };
    const short: Asked = { ...long, maxCompletionLength: 6, seed: 5 };
    const middle: Asked = { ...long, maxCompletionLength: 30, seed: 6 };
    // Eight rows of short jobs, two of the others.
    const cacheBytes = 2 * KeyValueCache.slotBytes(on.model.language, 409);
    const decoder = openDecoder({ rows: 8, cacheBytes });
    const schedule = [[short, short], [wide, middle], [short, long, short], [middle, short, short], [wide]];
    const asked = [];
    for (const jobs of schedule) {
      for (const job of jobs) asked.push({ job, ...ask(decoder, { ...job, stops: [] }) });
      for (let i = 0; i < 3; i++) await decoder.advance();
    }
    await finish(decoder);
    const again = [middle, short].map((job) => ({ job, ...ask(decoder, { ...job, stops: [] }) }));
    await finish(decoder);
    for (const { job, tokens, ends } of [...asked, ...again]) {
      const [expected] = await alone({ ...job, stops: [] });
      expect(tokens.map(({ tokenId }) => tokenId)).toEqual(expected!.tokenIds);
      expect(
        listDifference([Float32Array.from(tokens, ({ logProb }) => logProb)], [Float32Array.from(expected!.logProbs)]),
      ).toBeLessThan(1e-4);
      expect(ends).toEqual([null]);
    }
  });

  test("a prompt that goes on from a row computes its own tokens, and gets what it gets alone", async () => {
    for (const prompt of [on.golden.prompt, textPrompt(on, 9)]) {
      const thought: Asked = { prompt, maxCompletionLength: 12, temperature: 1, numGenerations: 2, stops: [] };
      const [, second] = await alone(thought);
      const other = second!.tokenIds[4] === 3 ? 5 : 3;
      const behind = [...second!.tokenIds.slice(0, 4), other, 7];
      const going = (own: readonly number[]): Asked => {
        return { prompt: { ...prompt, tokenIds: Int32Array.from([...prompt.tokenIds, ...own]) }, stops: [] };
      };
      const asked = [going(behind), going([other, 7]), going(second!.tokenIds.slice(0, 6)), { ...thought, seed: 9 }];
      const expected = [];
      for (const job of asked) expected.push(await alone(job));
      for (const forks of [true, false]) {
        const decoder = openDecoder({ rows: 16, forks });
        const whole = ask(decoder, thought);
        for (let i = 0; i < 7; i++) await decoder.advance();
        const before = decoder.computed;
        const found = asked.map((job) => ask(decoder, job));
        await finish(decoder);
        for (const [i, { tokens }] of found.entries()) {
          expectAlike(completionsOf(tokens, asked[i]!.numGenerations ?? 1), expected[i]!, `job ${i}`);
        }
        expect(completionsOf(whole.tokens, 2)[1]!.tokenIds).toEqual(second!.tokenIds);
        const apart = forks
          ? 2 + 2 + 1 + prompt.tokenIds.length
          : asked.reduce((n, job) => n + job.prompt.tokenIds.length, 0);
        expect(decoder.computed - before).toBe(apart);
      }
    }
  });

  test("a decoder is not idle while it computes a prompt", async () => {
    const cache = new FeatureCache();
    const idle: boolean[] = [];
    const decoder: Decoder = openDecoder({
      rows: 2,
      encode: ({ images }) => {
        idle.push(decoder.idle);
        return encodeEach(on.compute, on.values, images, cache);
      },
    });
    ask(decoder, { prompt: on.golden.prompt, maxCompletionLength: 2 });
    await finish(decoder);
    expect([...idle, decoder.idle]).toEqual([false, true]);
  });

  test("cancelling frees room at once, and does not affect other jobs", async () => {
    const decoder = openDecoder({ rows: 2 });
    const job = (seed: number): Asked => {
      const prompt = textPrompt(on, 9);
      return { prompt, maxCompletionLength: 12, temperature: 1.2, seed: 10 * seed, numGenerations: 2 };
    };
    const [kept, dropped, never] = [ask(decoder, job(1)), ask(decoder, job(2)), ask(decoder, job(3))];
    const expected = [await alone(job(1)), await alone(job(2))];
    await decoder.advance();
    kept.giveUp(0);
    never.giveUp();
    await decoder.advance();
    dropped.giveUp(1);
    await finish(decoder);
    expect(completionsOf(kept.tokens, 2)[1]).toMatchObject({ tokenIds: expected[0]![1]!.tokenIds });
    expect(completionsOf(dropped.tokens, 2)[0]).toMatchObject({ tokenIds: expected[1]![0]!.tokenIds });
    expect(expected[0]![0]!.tokenIds.length).toBeGreaterThan(2);
    expect(completionsOf(kept.tokens, 2)[0]!.tokenIds.length).toBeLessThanOrEqual(2);
    expect(never.tokens).toEqual([]);
    expect([kept, dropped, never].map(({ ends }) => ends)).toEqual([[null], [null], [null]]);
  });

  test("a prompt that fails does not affect others", async () => {
    const decoder = openDecoder({ rows: 4 });
    const good: Asked = { prompt: textPrompt(on, 9), maxCompletionLength: 6, temperature: 1 };
    const one = ask(decoder, good);
    const { prompt } = on.golden;
    const bad = ask(decoder, { prompt: { ...prompt, images: [] } });
    const other = ask(decoder, good);
    await finish(decoder);
    expect(bad.ends[0]).toBeInstanceOf(Error);
    expectAlike(completionsOf(one.tokens, 1), completionsOf(other.tokens, 1));
    expect([one.ends, other.ends]).toEqual([[null], [null]]);
    expect(one.tokens.length).toBeGreaterThan(0);
  });
});

/** Cached attention over a conversation: prompts, then one token at a time, with new caches and with caches in place. */
import { afterAll, describe, expect, test } from "vitest";
import { interpret } from "../../../src/compiler/interpret.ts";
import { add, cachedAttention, matmul, mul, reshape, softmax, transpose } from "../../../src/compiler/ops/index.ts";
import { constant, input, type Params, type Program, scalar } from "../../../src/compiler/tensor.ts";
import { normal, randomKey } from "../../../src/core/random.ts";
import { float32, int32, sizeOf, type TensorData } from "../../../src/core/tensor-data.ts";
import { Session } from "../../../src/runtime/session.ts";

const HEADS = 6;
const KEY_VALUE_HEADS = 2;
const HEAD_DIM = 8;
const CAPACITY = 9;

const inputs = {
  query: input("query", "float32", ["rows", "tokens", HEADS * HEAD_DIM]),
  key: input("key", "float32", ["rows", "tokens", KEY_VALUE_HEADS * HEAD_DIM]),
  value: input("value", "float32", ["rows", "tokens", KEY_VALUE_HEADS * HEAD_DIM]),
  pastKeys: input("pastKeys", "float32", ["rows", KEY_VALUE_HEADS, "capacity", HEAD_DIM]),
  pastValues: input("pastValues", "float32", ["rows", KEY_VALUE_HEADS, "capacity", HEAD_DIM]),
  lastPosition: input("lastPosition", "int32", ["rows"]),
  length: input("length", "int32", []),
};
const program: Program = {
  inputs,
  outputs: { ...cachedAttention(inputs, { heads: HEADS, keyValueHeads: KEY_VALUE_HEADS }) },
};
const session = await Session.compile(program, { threads: 1 });
afterAll(() => session.release());

const random = (seed: number, shape: readonly number[]) =>
  float32(
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => normal(randomKey(3, seed), i)),
  );

/** Queries, keys and values of `tokens` new tokens whose last stand at `lastPosition`. */
function step(seed: number, tokens: number, lastPosition: readonly number[]): Record<string, TensorData> {
  const rows = lastPosition.length;
  return {
    query: random(seed, [rows, tokens, HEADS * HEAD_DIM]),
    key: random(seed + 1, [rows, tokens, KEY_VALUE_HEADS * HEAD_DIM]),
    value: random(seed + 2, [rows, tokens, KEY_VALUE_HEADS * HEAD_DIM]),
    lastPosition: int32([rows], lastPosition),
    length: int32([], [Math.max(...lastPosition) + 1]),
  };
}

/** Caches of the given rows, filled with noise where nothing was written yet. */
const caches = (rows: number) => ({
  pastKeys: random(100, [rows, KEY_VALUE_HEADS, CAPACITY, HEAD_DIM]),
  pastValues: random(101, [rows, KEY_VALUE_HEADS, CAPACITY, HEAD_DIM]),
});

/** Runs both ways, checks both against the interpreter, and returns the interpreter's results. */
async function check(feeds: Params<TensorData>): Promise<Params<TensorData>> {
  const expected = interpret(program, feeds);
  const fresh = await session.run(feeds);
  expectClose(fresh.output!, expected.output!);
  expectSameUpTo(feeds.lastPosition!, fresh.keys!, expected.keys!);
  expectSameUpTo(feeds.lastPosition!, fresh.values!, expected.values!);

  const inPlace = { pastKeys: copy(feeds.pastKeys!), pastValues: copy(feeds.pastValues!) };
  const results = await session.run({ ...feeds, ...inPlace }, { keys: inPlace.pastKeys, values: inPlace.pastValues });
  expectClose(results.output!, expected.output!);
  expect(results.keys).toBe(inPlace.pastKeys);
  expect(inPlace.pastKeys.data).toEqual(expected.keys!.data);
  expect(inPlace.pastValues.data).toEqual(expected.values!.data);
  return expected;
}

describe("cachedAttention", () => {
  test.each([
    { rows: 1, tokens: 1 },
    { rows: 2, tokens: 4 },
    { rows: 1, tokens: CAPACITY },
  ])("a prompt of $rows x $tokens into an empty cache", async ({ rows, tokens }) => {
    await check({ ...step(1, tokens, new Array(rows).fill(tokens - 1)), ...caches(rows) });
  });

  test("prompts of different lengths, then several tokens each", async () => {
    const lengths = [2, 5, 1];
    const rows: Params<TensorData>[] = [];
    for (const [i, length] of lengths.entries()) {
      rows.push(await check({ ...step(10 * i, length, [length - 1]), ...caches(1) }));
    }
    let past = {
      pastKeys: stack(rows.map((row) => row.keys!)),
      pastValues: stack(rows.map((row) => row.values!)),
    };
    for (let t = 0; t < 4; t++) {
      const after = await check({
        ...step(
          50 + 10 * t,
          1,
          lengths.map((n) => n + t),
        ),
        ...past,
      });
      past = { pastKeys: after.keys!, pastValues: after.values! };
    }
  });

  test("a prompt and then a token = the longer prompt", () => {
    const whole = step(1, 4, [3]);
    const tokens = (t: TensorData, start: number, end: number) => {
      const width = t.shape[2]!;
      return float32([1, end - start, width], t.data.slice(start * width, end * width));
    };
    const part = (start: number, end: number) => ({
      query: tokens(whole.query!, start, end),
      key: tokens(whole.key!, start, end),
      value: tokens(whole.value!, start, end),
      lastPosition: int32([1], [end - 1]),
      length: int32([], [end]),
    });
    const all = interpret(program, { ...whole, ...caches(1) });
    const prompt = interpret(program, { ...part(0, 3), ...caches(1) });
    const next = interpret(program, { ...part(3, 4), pastKeys: prompt.keys!, pastValues: prompt.values! });
    expectClose(next.output!, tokens(all.output!, 3, 4));
    expect(next.keys).toEqual(all.keys);
  });

  test("a prompt = softmax attention under a causal mask", () => {
    const [rows, tokens] = [2, 3];
    const group = HEADS / KEY_VALUE_HEADS;
    const query = input("query", "float32", [rows, tokens, HEADS * HEAD_DIM]);
    const key = input("key", "float32", [rows, tokens, KEY_VALUE_HEADS * HEAD_DIM]);
    const value = input("value", "float32", [rows, tokens, KEY_VALUE_HEADS * HEAD_DIM]);
    const q = transpose(reshape(query, [rows, tokens, KEY_VALUE_HEADS, group, HEAD_DIM]), [0, 2, 3, 1, 4]);
    const k = transpose(reshape(key, [rows, tokens, KEY_VALUE_HEADS, 1, HEAD_DIM]), [0, 2, 3, 1, 4]);
    const v = transpose(reshape(value, [rows, tokens, KEY_VALUE_HEADS, 1, HEAD_DIM]), [0, 2, 3, 1, 4]);
    const mask = float32([tokens, tokens], [0, -1e30, -1e30, 0, 0, -1e30, 0, 0, 0]);
    const scores = mul(matmul(q, k, { transposeB: true }), scalar(1 / Math.sqrt(HEAD_DIM)));
    const mixed = matmul(softmax(add(scores, constant(mask))), v);
    const plain: Program = {
      inputs: { query, key, value },
      outputs: { output: reshape(transpose(mixed, [0, 3, 1, 2, 4]), [rows, tokens, HEADS * HEAD_DIM]) },
    };
    const feeds = { ...step(1, tokens, [tokens - 1, tokens - 1]), ...caches(rows) };
    expectClose(interpret(program, feeds).output!, interpret(plain, feeds).output!);
  });

  test("the interpreter refuses positions outside the cache", () => {
    const run = (lastPosition: readonly number[], tokens: number) => () =>
      interpret(program, { ...step(1, tokens, lastPosition), ...caches(lastPosition.length) });
    expect(run([2, 1], 3)).toThrow("cachedAttention: token 0 of row 1 stands at position -1 of 9");
    expect(run([CAPACITY], 1)).toThrow("cachedAttention: token 0 of row 0 stands at position 9 of 9");
  });

  test("ONNX Runtime refuses several tokens for several rows with a past", async () => {
    const feeds = { ...step(1, 2, [4, 3]), ...caches(2) };
    await expect(session.run(feeds)).rejects.toThrow("batch_size must be 1 when sequence_length > 1");
  });
});

const copy = (t: TensorData): TensorData => ({ ...t, data: t.data.slice() });

function stack(parts: readonly TensorData[]): TensorData {
  const shape = [parts.length, ...parts[0]!.shape.slice(1)];
  return float32(
    shape,
    parts.flatMap((part) => Array.from(part.data)),
  );
}

function expectClose(actual: TensorData, expected: TensorData): void {
  expect(actual.shape).toEqual(expected.shape);
  const difference = actual.data.map((x, i) => Math.abs(x - expected.data[i]!));
  expect(Math.max(...difference)).toBeLessThan(2e-6);
}

/** In a new array ONNX Runtime clears what lies beyond each row's last token. */
function expectSameUpTo(lastPosition: TensorData, actual: TensorData, expected: TensorData): void {
  const [, heads, capacity, width] = expected.shape as [number, number, number, number];
  const kept = expected.data.map((x, i) => {
    const row = Math.floor(i / (heads * capacity * width));
    return Math.floor(i / width) % capacity <= lastPosition.data[row]! ? x : 0;
  });
  expect(actual.shape).toEqual(expected.shape);
  expect(actual.data).toEqual(kept);
}

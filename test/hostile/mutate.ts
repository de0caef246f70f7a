/** Mutations of files, drawn from a key alone: of bytes, and of JSON by its structure. */
import { integer, pick, type RandomKey, uniform } from "../../src/core/random.ts";

/** Draws one after the other from a key. */
export interface Draws {
  below(n: number): number;
  oneOf<T>(items: readonly T[]): T;
  chance(p: number): boolean;
}

export function drawsOf(key: RandomKey): Draws {
  let counter = 0;
  return {
    below: (n) => integer(key, counter++, Math.max(1, n)),
    oneOf: (items) => pick(key, counter++, items),
    chance: (p) => uniform(key, counter++) < p,
  };
}

/** One to four changes: bits, bytes, cuts, repetitions, runs of one byte. */
export function mutateBytes(bytes: Uint8Array, draw: Draws): Uint8Array {
  let out = Buffer.from(bytes);
  for (let changes = 1 + draw.below(4); changes > 0; changes--) {
    const at = draw.below(out.length);
    const length = 1 + draw.below(draw.chance(0.5) ? 8 : out.length - at);
    const kind = draw.below(7);
    if (kind === 0 && out.length > 0) out[at]! ^= 1 << draw.below(8);
    else if (kind === 1 && out.length > 0) out[at] = draw.oneOf([0, 1, 0x7f, 0x80, 0xff, 0x7b, 0x22]);
    else if (kind === 2) out = Buffer.concat([out.subarray(0, at), out.subarray(at + length)]);
    else if (kind === 3) out = Buffer.concat([out.subarray(0, at + length), out.subarray(at)]);
    else if (kind === 4) out.fill(draw.oneOf([0, 0xff, 0x20, 0x5b]), at, Math.min(out.length, at + length));
    else if (kind === 5) out = out.subarray(0, at);
    else out.set(Buffer.alloc(Math.min(8, out.length - at), draw.oneOf([0, 0xff, 0x7f])), at);
  }
  return out;
}

/** What stands for a value that cannot be written with JSON.stringify. */
const RAW = "\u0001raw:";

const NUMBERS = [
  0,
  -0,
  -1,
  1,
  2,
  3,
  0.5,
  1e-9,
  255,
  65_536,
  2 ** 24 + 1,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 53 - 1,
  1e15,
  1e300,
];
const TEXTS = [
  "",
  "../../canary.safetensors",
  "../canary.safetensors",
  "/etc/passwd",
  "/dev/zero",
  ".",
  "..",
  "a\u0000b",
  "a\nb",
  "__proto__",
  "constructor",
  "toString",
  "\ud800",
  "(a+)+$",
  "(.*)*\u0000",
  "(?:(?:\\s|\\S)+)+x",
  "[",
  "\\p{L",
  "{{ messages }}",
  "{% for i in range(999999999) %}{% for j in range(999999999) %}x{% endfor %}{% endfor %}",
  "<|image_pad|>",
  "x".repeat(100_000),
];
const RAWS = [
  "1e999",
  "-1e999",
  "99999999999999999999999",
  `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
  `${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`,
];

function hostileValue(draw: Draws): unknown {
  const kind = draw.below(8);
  if (kind < 3) return draw.oneOf(NUMBERS);
  if (kind < 5) return draw.oneOf(TEXTS);
  if (kind === 5) return RAW + draw.oneOf(RAWS);
  if (kind === 6) return draw.oneOf([null, true, false, [], {}, [[]], [null], { a: null }, ["x"], [1, 2]]);
  return Array.from({ length: draw.oneOf([1, 40, 5000]) }, () => draw.oneOf(NUMBERS));
}

type Json = { [key: string]: Json } | Json[] | unknown;

/** One to three changes of a JSON text's values, keys and order; now and then of its bytes as well. */
export function mutateJson(json: string, draw: Draws, extra: readonly unknown[] = []): string {
  const root: { value: Json } = { value: JSON.parse(json) };
  let repeats: string | null = null;
  for (let changes = 1 + draw.below(3); changes > 0; changes--) {
    const places = placesOf(root);
    const [holder, key] = draw.oneOf(places);
    const kind = draw.below(7);
    const value = extra.length > 0 && draw.chance(0.3) ? draw.oneOf(extra) : hostileValue(draw);
    if (kind < 3) put(holder, key, value);
    else if (kind === 3) remove(holder, key);
    else if (kind === 4)
      put(holder, draw.oneOf(["__proto__", "constructor", "x", "length", ...TEXTS.slice(0, 5)]), value);
    else if (kind === 5) put(holder, key, draw.oneOf(places)[0]);
    else repeats = JSON.stringify(key);
  }
  const raw = (text: string) => text.replace(/"\\u0001raw:((?:[^"\\]|\\.)*)"/g, (_, body) => JSON.parse(`"${body}"`));
  let text: string;
  try {
    text = raw(JSON.stringify(root.value) ?? "");
  } catch {
    text = `{"a":${json}`; // it was made to hold itself
  }
  if (repeats !== null) text = text.replace("{", `{${repeats}:${JSON.stringify(draw.oneOf(NUMBERS))},`);
  return draw.chance(0.1) ? Buffer.from(mutateBytes(Buffer.from(text), draw)).toString("latin1") : text;
}

type Holder = Record<string, Json> | Json[];

/** Every value that can be replaced, with what holds it. */
function placesOf(root: { value: Json }): (readonly [Holder, string])[] {
  const places: (readonly [Holder, string])[] = [];
  const seen = new Set<unknown>();
  const open: Holder[] = [root];
  for (let holder = open.pop(); holder !== undefined; holder = open.pop()) {
    if (seen.has(holder)) continue;
    seen.add(holder);
    for (const key of Object.keys(holder).slice(0, 200)) {
      places.push([holder, key]);
      const value = (holder as Record<string, Json>)[key];
      if (typeof value === "object" && value !== null) open.push(value as Holder);
    }
  }
  return places;
}

/** As JSON.parse sets keys: "__proto__" too becomes an own one. */
function put(holder: Holder, key: string, value: unknown): void {
  const own = Array.isArray(holder) && !/^\d+$/.test(key) ? "0" : key; // JSON gives a list no other keys
  Object.defineProperty(holder, own, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

function remove(holder: Holder, key: string): void {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else if (key !== "value" || Object.keys(holder).length > 1) delete holder[key];
}

/** Runs mutations in a process of its own, which a crash may end: tsx main.ts SEED SHARE [TARGET [CASE]]. Prints JSON lines. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf, UserError } from "../../src/core/errors.ts";
import { randomKey } from "../../src/core/random.ts";
import { writeSafetensors } from "../../src/io/safetensors.ts";
import { drawsOf } from "./mutate.ts";
import { CANARY, type Target, targets } from "./targets.ts";

/** The time limits of foreign patterns are 10 s; one case may meet two. */
const MAX_SECONDS = 25;

const [, , seed = "1", share = "1", only, one] = process.argv;
const outer = mkdtempSync(join(tmpdir(), "viva-hostile-"));
const canary = join(outer, "canary.safetensors");
const tensors = ["a", "b", "c"].map((name) => ({ name, shape: [4, 3], data: new Float32Array(12).fill(CANARY) }));
writeSafetensors(canary, tensors);
const before = readFileSync(canary);
const prototypes = () =>
  JSON.stringify([Object, Array, String, Function].map((c) => Reflect.ownKeys(c.prototype).map(String)));
const clean = prototypes();

async function run(target: Target): Promise<void> {
  const folder = join(outer, target.name);
  mkdirSync(folder, { recursive: true });
  await target.prepare(folder);
  const cases = Math.max(1, Math.round(target.cases * Number(share)));
  const result = { target: target.name, cases, loaded: 0, refused: 0, slowest_s: 0, max_rss_mb: 0 };
  for (let i = one === undefined ? 0 : Number(one); i < (one === undefined ? cases : Number(one) + 1); i++) {
    target.mutate(folder, drawsOf(randomKey(Number(seed), target.name, i)));
    if (one !== undefined) console.log(`case ${i} is in ${folder}`);
    const start = performance.now();
    const error = await target.read(folder).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    const seconds = (performance.now() - start) / 1000;
    const problem = problemOf(error, seconds);
    if (problem !== null) {
      console.log(JSON.stringify({ target: target.name, case: i, problem }));
      if (error instanceof Error && !(error instanceof UserError)) console.error(error.stack);
      process.exitCode = 1;
    }
    if (error === null) result.loaded++;
    else result.refused++;
    result.slowest_s = Math.max(result.slowest_s, Number(seconds.toFixed(2)));
  }
  result.max_rss_mb = Math.round(process.resourceUsage().maxRSS / 1000);
  console.log(JSON.stringify(result));
  if (one === undefined) rmSync(folder, { recursive: true });
}

function problemOf(error: unknown, seconds: number): string | null {
  if (prototypes() !== clean) return "a prototype has been changed";
  if (seconds > MAX_SECONDS) return `it took ${seconds} s`;
  if (error === null) return null;
  const message = messageOf(error);
  if (!(error instanceof UserError)) return `no UserError: ${message.slice(0, 300)}`;
  if (/\n|\[object|^internal:/.test(message) || message.length > 2000)
    return `an unclear message: ${message.slice(0, 300)}`;
  return null;
}

for (const target of targets) if (only === undefined || only === target.name) await run(target);
if (!readFileSync(canary).equals(before)) throw new Error("a file outside the folder was changed");
const left = readdirSync(outer).filter((name) => name !== "canary.safetensors" && name !== only);
if (left.length > 0) throw new Error(`written outside the folder: ${left.join(", ")}`);
if (one === undefined) rmSync(outer, { recursive: true });

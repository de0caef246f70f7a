/**
 * Two adapters on one model on a device: one decodes while the other samples, which merges its own weights, and the one that
 * trains goes on beside a snapshot that decodes. Prints as JSON the tokens that each draws alone and by turns, and the arrays
 * on the device after the whole was done once and twice. Argument: the device.
 */
import type { Device } from "../../src/core/device.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import { batchOf, engineOptions, greedy, madeCompletions } from "../invariants/setup.ts";
import { goldenCase } from "../parity/golden.ts";

export interface ByTurns {
  /** What an adapter, the other and a snapshot draw alone. */
  readonly alone: readonly string[];
  /** What they draw while others merge, decode and train. */
  readonly together: readonly string[];
  /** Arrays on the device after the first and the second time. */
  readonly arrays: readonly number[];
}

const [device] = process.argv.slice(2) as [Device];
const { checkpoint, prompt } = goldenCase("grouped_tied");
const base = new LocalCore({ ...engineOptions(checkpoint), rows: 4, device });
const adam = { learningRate: 0.05, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0 };
const asked = { ...greedy, numGenerations: 2, temperature: 1, maxCompletionLength: 8, rows: 4 };

function open(seed: number): LocalCore {
  const lora = { r: 2, lora_alpha: 8, target_modules: ["q_proj", "up_proj"] };
  return new LocalCore(
    { ...engineOptions(checkpoint), rows: 4, device, lora, seed },
    { base: base.base, merged: true },
  );
}

async function train(core: LocalCore): Promise<void> {
  await core.forwardBackward(batchOf([{ prompt, completions: madeCompletions([4], "by turns", 300) }]));
  await core.optimStep(adam);
}

/** The tokens of two completions, decoded live; `between` runs after two tokens of each. */
async function draw(core: LocalCore, between: () => Promise<unknown> = async () => {}): Promise<string> {
  const drawn: number[][] = [[], []];
  let failure: Error | null = null;
  const onEnd = (error: Error | null) => (failure = error);
  core.decode(prompt, asked, { onToken: ({ completion, tokenId }) => drawn[completion]!.push(tokenId), onEnd });
  for (let at = 0; await core.advance(); at++) if (at === 0) await between();
  if (failure !== null) throw failure;
  return drawn.join(" ");
}

async function main(): Promise<ByTurns> {
  const [a, b] = [open(1), open(2)];
  const found: string[][] = [];
  const arrays: number[] = [];
  for (let time = 0; time < 2; time++) {
    for (const core of [a, b]) await train(core);
    const alone = [await draw(a), await draw(b), await draw(a)];
    let other = "";
    const first = await draw(a, async () => (other = await draw(b)));
    const snapshot = a.snapshot();
    const shared = await draw(snapshot, async () => {
      await train(a);
      await draw(a);
    });
    snapshot.store.release();
    found.push(alone, [first, other, shared]);
    arrays.push(base.base.arrays.memory?.traffic.arrays ?? 0);
  }
  await base.close();
  return { alone: [...found[0]!, ...found[2]!], together: [...found[1]!, ...found[3]!], arrays };
}

console.log(JSON.stringify(await main()));

/**
 * Opens two engines on the device named by its argument, and another after the first is closed: prints as JSON what the second
 * was told, and the largest difference between the log-probs of the first and of the last.
 */
import type { Device } from "../../src/core/device.ts";
import { plainScoring } from "../../src/engine/engine.ts";
import { type LocalEngine, openLocalEngine } from "../../src/engine/local/local-engine.ts";
import { engineOptions, listDifference, madeCompletions } from "../invariants/setup.ts";
import { goldenCase } from "../parity/golden.ts";

export interface TwoEngines {
  readonly refusal: { readonly name: string; readonly message: string } | null;
  readonly apart: number;
}

const device = process.argv[2] as Device;
const { checkpoint, prompt } = goldenCase("grouped_tied");
const groups = [{ prompt, completions: madeCompletions([4], "two engines", 300) }];

const open = () =>
  openLocalEngine({ ...engineOptions(checkpoint), device }, { decode: () => "", stopTokenIds: [], imageTokenId: -1 });

async function scores(engine: LocalEngine): Promise<readonly Float32Array[]> {
  const { logProbs } = await engine.policy.logProbs(groups, plainScoring);
  return logProbs;
}

const one = await open();
const refusal = await open().then(
  (two) => two.close().then(() => null),
  ({ name, message }: Error) => ({ name, message }),
);
const before = await scores(one);
await one.close();
const three = await open();
const after = await scores(three);
await three.close();
console.log(JSON.stringify({ refusal, apart: listDifference(before, after) } satisfies TwoEngines));

/**
 * Five steps of soft Q-learning and of DPO on a golden model's own completions, on the CPU and on the device named by the
 * argument: prints losses and gradient norms as JSON, by kind.
 */
import type { Device } from "../../src/core/device.ts";
import { closeCores, type Point, pairsOf, softQ, trajectory } from "../trajectories/training.ts";

export type Kinds = Readonly<Record<string, Readonly<Record<"cpu" | "device", readonly Point[]>>>>;

const device = process.argv[2] as Device;
const kinds = { soft_q: softQ, dpo: pairsOf("dpo") };
const found: Record<string, Kinds[string]> = {};
for (const [kind, settings] of Object.entries(kinds)) {
  const run = (on: Device) => trajectory({ settings, steps: 5, answers: "sampled", device: on });
  found[kind] = { cpu: await run("cpu"), device: await run(device) };
}
await closeCores();
console.log(JSON.stringify(found satisfies Kinds));

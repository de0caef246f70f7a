/**
 * Trains a golden model on a device and on the CPU from the same start, by groups that each samples itself, and prints as
 * JSON both records, what crossed to and from the device in every step, and how a checkpoint of each goes on at the other.
 * On an integer base both train on given completions, since the CPU's sampler rounds activations to 8 bits there.
 * Arguments: the device, the model, "full", "lora", "int8" or "int4" (adapters on such a base), and the number of steps.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Device } from "../../src/core/device.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import type { SampledGroup } from "../../src/engine/local/sampler.ts";
import { bytesOfShape, type DeviceTraffic } from "../../src/runtime/device-memory.ts";
import { asTrainingGroups, batchOf, greedy, listDifference, madeCompletions } from "../invariants/setup.ts";
import { type CaseName, goldenCase } from "../parity/golden.ts";

type Kind = "full" | "lora" | "int8" | "int4";

export interface TrainedStep {
  readonly loss: number;
  readonly gradNorm: number;
  readonly tokens: readonly number[];
  /** On an integer base, the largest difference between the sampler's log-probs and the trainer's. */
  readonly samplerApart?: number;
}

export interface Trained {
  readonly cpu: readonly TrainedStep[];
  readonly device: readonly TrainedStep[];
  /** Of each step on the device: what crossed, and the arrays there after it. */
  readonly traffic: readonly DeviceTraffic[];
  /** What a checkpoint took from the device, beside the bytes of its trained weights. */
  readonly savedBytes: number;
  readonly trainedBytes: number;
  /** One step more of the CPU, of the device, and of each from the other's checkpoint. */
  readonly resumed: Readonly<Record<"cpu" | "device" | "cpuFromDevice" | "deviceFromCpu", TrainedStep>>;
}

const [device, name, kind, count] = process.argv.slice(2) as [Device, CaseName, Kind, string];
const golden = goldenCase(name);
const optimiser = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };

const isQuantized = kind.startsWith("int");
const scoring = { temperature: 1, topP: 1, topK: 0 };

function open(on: Device): LocalCore {
  return new LocalCore({
    ...{ modelFolder: golden.checkpoint, initialise: "pretrained", seed: 3, freeze: [], threads: 1, rows: 4 },
    ...{ lora: kind === "full" ? null : { r: 2, lora_alpha: 4, target_modules: "all-linear" } },
    ...{ quantizeFrozen: kind === "int8" ? 8 : kind === "int4" ? 4 : null },
    ...{ microBatchTokens: 4096, device: on },
  });
}

/** Samples two completions, trains on the first against the second, and updates. */
async function step(core: LocalCore, at: number): Promise<TrainedStep> {
  const groups: SampledGroup[] = [];
  const o = { ...greedy, numGenerations: 2, temperature: 1, maxCompletionLength: 6, step: at, trainsNext: true };
  await core.sample([golden.prompt], o, (group) => groups.push(group));
  const [group] = asTrainingGroups([golden.prompt], groups);
  const completions = group!.completions.map((own, i) => ({ ...own, weight: 0.1, advantage: i === 0 ? 1 : -1 }));
  const batch = batchOf([{ ...group!, completions }]);
  if (isQuantized) return { ...(await stepOnGiven(core, at)), samplerApart: await samplerApart(core, groups) };
  const { loss } = await core.forwardBackward({ ...batch, scoring, loss: onPolicy(batch.loss) });
  const { gradNorm } = await core.optimStep(optimiser);
  return { loss, gradNorm, tokens: groups.flatMap((own) => own.completions.flatMap(({ tokenIds }) => [...tokenIds])) };
}

async function stepOnGiven(core: LocalCore, at: number): Promise<TrainedStep> {
  const completions = madeCompletions([6, 3], `step ${at}`, core.vocabularySize);
  const { loss } = await core.forwardBackward(batchOf([{ prompt: golden.prompt, completions }]));
  const { gradNorm } = await core.optimStep(optimiser);
  return { loss, gradNorm, tokens: completions.flatMap(({ tokenIds }) => [...tokenIds]) };
}

async function samplerApart(core: LocalCore, groups: readonly SampledGroup[]): Promise<number> {
  const scored = await core.logProbs(asTrainingGroups([golden.prompt], groups), scoring, "policy");
  const sampled = groups.flatMap(({ completions }) => completions.map(({ logProbs }) => logProbs));
  return listDifference(scored.logProbs, sampled);
}

type Loss = ReturnType<typeof batchOf>["loss"];

const onPolicy = (loss: Loss): Loss => ({ ...loss, variant: { ...loss.variant, onPolicy: true, klEstimator: null } });

async function save(core: LocalCore, folder: string): Promise<string> {
  await core.fetch();
  core.save(folder, true);
  core.forget();
  return folder;
}

async function main(): Promise<Trained> {
  const scratch = mkdtempSync(join(tmpdir(), "viva-device-"));
  const [cpu, other] = [open("cpu"), open(device)];
  const steps = Array.from({ length: Number(count) }, (_, at) => at);
  const records: { cpu: TrainedStep[]; device: TrainedStep[]; traffic: DeviceTraffic[] } = {
    cpu: [],
    device: [],
    traffic: [],
  };
  for (const at of steps) {
    records.cpu.push(await step(cpu, at));
    records.device.push(await step(other, at));
    records.traffic.push(other.base.arrays.memory!.traffic);
  }
  const [here, there] = [await save(cpu, join(scratch, "cpu")), await save(other, join(scratch, "device"))];
  const { from } = other.base.arrays.memory!.traffic;
  const saved = {
    savedBytes: from["weights and moments"]!,
    trainedBytes: [...other.store.trainable].reduce((sum, name) => sum + bytesOfShape(other.store.values[name]!), 0),
  };
  const [next, nextThere] = [await step(cpu, steps.length), await step(other, steps.length)];
  cpu.load(there);
  other.load(here);
  const [cpuFromDevice, deviceFromCpu] = [await step(cpu, steps.length), await step(other, steps.length)];
  await cpu.close();
  await other.close();
  rmSync(scratch, { recursive: true });
  return { ...records, ...saved, resumed: { cpu: next, device: nextThere, cpuFromDevice, deviceFromCpu } };
}

console.log(JSON.stringify(await main()));

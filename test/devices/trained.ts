/** What a training run on a device must be: the CPU's, and nothing of the model's size crosses or grows. */
import { expect } from "vitest";
import type { DeviceTraffic } from "../../src/runtime/device-memory.ts";
import type { Trained, TrainedStep } from "./training.ts";

export function expectTrained({ cpu, device, traffic, resumed, savedBytes, trainedBytes }: Trained): void {
  for (const [i, step] of cpu.entries()) expectStep(device[i]!, step);
  expectStep(resumed.device, resumed.cpu);
  expectStep(resumed.cpuFromDevice, resumed.cpu);
  expectStep(resumed.deviceFromCpu, resumed.cpu);
  expect(savedBytes).toBe(3 * trainedBytes); // with the moments
  const last = traffic.length - 1;
  expect(bytesTo(traffic, last)).toBe(bytesTo(traffic, 2));
  expect(traffic[last]!.arrays).toBe(traffic[1]!.arrays);
  expect(traffic[last]!.bytes).toBe(traffic[1]!.bytes);
  expect(traffic[last]!.peakBytes).toBeLessThan(traffic[1]!.peakBytes * 1.5);
  const isOfModel = (what: string) =>
    /\.(weight|bias|packed|scales|lora_.*)$|^(weight|total|added|first|second|gradient|x|copy)\.\d+$|gradients|moments|keys|values/.test(
      what,
    );
  expect(crossed(traffic, "to").filter(isOfModel)).toEqual([]);
  expect(crossed(traffic, "from").filter((what) => isOfModel(what) || what.startsWith("d."))).toEqual([]);
}

/** Of one step: what a card must not pay for again and again does not hide behind a name. */
const bytesTo = (traffic: readonly DeviceTraffic[], step: number) =>
  traffic[step]!.bytesTo - traffic[step - 1]!.bytesTo;

/** The names of what crossed after the first step. */
function crossed(traffic: readonly DeviceTraffic[], way: "to" | "from"): string[] {
  const [first, last] = [traffic[0]![way], traffic.at(-1)![way]];
  return Object.keys(last).filter((name) => last[name] !== first[name]);
}

function expectStep(found: TrainedStep, expected: TrainedStep): void {
  expect(found.tokens).toEqual(expected.tokens);
  expect(found.loss).toBeCloseTo(expected.loss, 4);
  expect(found.gradNorm / expected.gradNorm).toBeCloseTo(1, 3);
  // As on the CPU (test/invariants/quantized.test.ts): its sampler rounds activations to 8 bits.
  expect(found.samplerApart ?? 0).toBeLessThan(0.2);
}

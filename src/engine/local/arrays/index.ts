/** Where arrays lie on each device: onnxruntime-node leaves outputs on webgpu alone; from the others all comes back. */
import type { Device } from "../../../core/device.ts";
import type { Arrays } from "./arrays.ts";
import { deviceArrays } from "./device-arrays.ts";
import { hostArrays } from "./host-arrays.ts";

const homes: Readonly<Record<Device, (device: Device, threads: number) => Arrays>> = {
  cpu: hostArrays,
  webgpu: deviceArrays,
  cuda: hostArrays,
  coreml: hostArrays,
  dml: hostArrays,
};

/** Whether arrays on this device lie in its own memory. */
export function keepsArrays(device: Device): boolean {
  return homes[device] === deviceArrays;
}

export function openArrays(device: Device, threads: number): Arrays {
  return homes[device](device, threads);
}

/**
 * Which devices of this process have an engine. ONNX Runtime has one device per process for all its sessions, and it breaks when
 * the worker threads of two engines write to it at once. The device is the process's, so this is too.
 */
import type { Device } from "../../core/device.ts";
import { UserError } from "../../core/errors.ts";
import { keepsArrays } from "./arrays/index.ts";

const taken = new Set<Device>();

/** Takes a device that keeps arrays until the returned function is called; throws UserError where an engine has it. */
export function takeDevice(device: Device): () => void {
  if (!keepsArrays(device)) return () => {};
  if (taken.has(device)) {
    throw new UserError(
      `the device ${device} computes for another model of this process, and ONNX Runtime has one such device per process: close that model first, start another process for this one, or compute it on the cpu`,
    );
  }
  taken.add(device);
  return () => taken.delete(device);
}

/** An ONNX Runtime session of a program. */
import * as ort from "onnxruntime-node";
import { lower } from "../compiler/onnx/lower.ts";
import { withPlainKernels } from "../compiler/plain-kernels.ts";
import type { Program } from "../compiler/tensor.ts";
import type { Device } from "../core/device.ts";
import type { DType, TensorArray, TensorData } from "../core/tensor-data.ts";

export interface NativeOptions {
  readonly device: Device;
  readonly threads: number;
  readonly spinning: boolean;
  readonly lean: boolean;
  /** Outputs that remain on the device; null where the session's device has no arrays of its own. */
  readonly stay: ReadonlySet<string> | null;
}

/**
 * Threads that spin while they wait take cores from those that work, especially those of other sessions; threads that
 * sleep at once are slow to wake between small operators. Spinning for 25 µs, and not at all after a run, is the best
 * of both; LOG.md has the figures.
 */
const SHORT_WAITS = { force_spinning_stop: "1", intra_op: { allow_spinning: "1", spin_duration_us: "25" } };

/** Only webgpu was looked at: the log of a session says where nodes run (`test/devices/placement.ts`). */
const rewrites: Readonly<Record<Device, (program: Program) => Program>> = {
  cpu: (program) => program,
  webgpu: withPlainKernels,
  cuda: (program) => program,
  coreml: (program) => program,
  dml: (program) => program,
};

/** The program as it runs on a device. */
export const programOn = (device: Device, program: Program): Program => rewrites[device](program);

export function createSession(program: Program, o: NativeOptions): Promise<ort.InferenceSession> {
  const { model, external } = lower(programOn(o.device, program));
  const { stay } = o;
  const locations = (outputs: ReadonlySet<string>) =>
    Object.fromEntries(
      Object.keys(program.outputs).map((name) => [
        name,
        outputs.has(name) ? ("gpu-buffer" as const) : ("cpu" as const),
      ]),
    );
  return ort.InferenceSession.create(model, {
    externalData: [...external],
    executionProviders: [o.device],
    graphOptimizationLevel: "all",
    intraOpNumThreads: o.threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    enableMemPattern: false,
    logSeverityLevel: 3,
    extra: { session: o.spinning ? { intra_op: { allow_spinning: "1" } } : SHORT_WAITS },
    enableCpuMemArena: !o.lean,
    ...(stay === null ? {} : { preferredOutputLocation: locations(stay) }),
  });
}

export function toOrt(value: TensorData): ort.Tensor {
  if (value.dtype === "float64") throw new Error("internal: float64 runs in the interpreter only");
  // TensorData pairs element type and array class correctly.
  return new ort.Tensor(value.dtype as "float32", value.data as Float32Array, value.shape);
}

export function fromOrt(value: ort.Tensor): TensorData {
  return { dtype: value.type as DType, shape: value.dims, data: value.data as TensorArray };
}

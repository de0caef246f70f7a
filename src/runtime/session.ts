/** A compiled program: an ONNX Runtime session with named feeds and fetches over plain typed arrays. */
import * as ort from "onnxruntime-node";
import { lower, usedInputs } from "../compiler/onnx/lower.ts";
import type { Params, Program } from "../compiler/tensor.ts";
import type { Device } from "../core/device.ts";
import type { DType, TensorArray, TensorData } from "../core/tensor-data.ts";
import { otherRounding } from "./rounding.ts";

export interface SessionOptions {
  /** Threads per operator; 0 lets ONNX Runtime choose. */
  readonly threads?: number;
  /**
   * Where operators run, by default the CPU; operators that a device lacks run on the CPU. Throws if the device does
   * not work.
   */
  readonly device?: Device;
  /** Lets idle threads spin for ONNX Runtime's default time; only benchmarks ask for it. */
  readonly spinning?: boolean;
  /** Frees memory after every run; otherwise a session keeps its peak, which is slightly faster. */
  readonly lean?: boolean;
}

/**
 * Threads that spin while they wait take cores from those that work, especially those of other sessions; threads that
 * sleep at once are slow to wake between small operators. Spinning for 25 µs, and not at all after a run, is the best
 * of both; LOG.md has the figures.
 */
const SHORT_WAITS = { force_spinning_stop: "1", intra_op: { allow_spinning: "1", spin_duration_us: "25" } };

/** Owns one native session; `release` frees it. */
export class CompiledProgram {
  readonly #session: ort.InferenceSession;
  readonly #inputs: readonly string[];
  /** Weights are fed again at every run: their ONNX Runtime tensors are created once. */
  readonly #tensors = new WeakMap<TensorData, ort.Tensor>();
  readonly #round = otherRounding();
  readonly outputs: readonly string[];

  private constructor(session: ort.InferenceSession, inputs: readonly string[], outputs: readonly string[]) {
    this.#session = session;
    this.#inputs = inputs;
    this.outputs = outputs;
  }

  static async compile(program: Program, o: SessionOptions = {}): Promise<CompiledProgram> {
    const { threads = 0, device = "cpu", spinning = false, lean = false } = o;
    const { model, external } = lower(program);
    const session = await ort.InferenceSession.create(model, {
      externalData: [...external],
      executionProviders: [device],
      graphOptimizationLevel: "all",
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      enableMemPattern: false,
      logSeverityLevel: 3,
      extra: { session: spinning ? { intra_op: { allow_spinning: "1" } } : SHORT_WAITS },
      enableCpuMemArena: !lean,
    });
    return new CompiledProgram(session, usedInputs(program), Object.keys(program.outputs));
  }

  /**
   * Runs the program on `feeds`, falling back to `weights`, which can contain unused ones, for missing inputs. The
   * outputs are new arrays. Unused feeds are ignored.
   */
  async run(feeds: Params<TensorData>, weights: Params<TensorData> = {}): Promise<Record<string, TensorData>> {
    const fed: Record<string, ort.Tensor> = {};
    for (const name of this.#inputs) {
      const value = feeds[name] ?? weights[name];
      if (value === undefined) throw new Error(`internal: the program input "${name}" was not fed`);
      fed[name] = this.#tensorOf(value);
    }
    const results = await this.#session.run(fed, this.outputs);
    const values = this.outputs.map((name) => [name, fromOrt(results[name]!)] as const);
    if (this.#round !== null) for (const [name, value] of values) this.#round(name, value);
    return Object.fromEntries(values);
  }

  #tensorOf(value: TensorData): ort.Tensor {
    let tensor = this.#tensors.get(value);
    if (tensor === undefined) {
      tensor = toOrt(value);
      this.#tensors.set(value, tensor);
    }
    return tensor;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** Names of ONNX Runtime's execution providers on this platform, and whether the installed package bundles each. */
export function supportedBackends(): readonly { readonly name: string; readonly bundled: boolean }[] {
  return ort.listSupportedBackends();
}

function toOrt(value: TensorData): ort.Tensor {
  if (value.dtype === "float64") throw new Error("internal: float64 runs in the interpreter only");
  // TensorData pairs element type and array class correctly.
  return new ort.Tensor(value.dtype as "float32", value.data as Float32Array, value.shape);
}

function fromOrt(value: ort.Tensor): TensorData {
  return { dtype: value.type as DType, shape: value.dims, data: value.data as TensorArray };
}

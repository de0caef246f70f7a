/** A compiled program: an ONNX Runtime session with named feeds and fetches over plain typed arrays. */
import * as ort from "onnxruntime-node";
import { usedInputs } from "../compiler/onnx/lower.ts";
import type { Params, Program } from "../compiler/tensor.ts";
import type { Device } from "../core/device.ts";
import type { TensorData } from "../core/tensor-data.ts";
import { createSession, fromOrt, toOrt } from "./create-session.ts";
import type { DeviceMemory } from "./device-memory.ts";
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
  /** The memory of a device that keeps arrays, instead of `device`: programs there take these and leave some behind. */
  readonly memory?: DeviceMemory | null;
  /** Which outputs remain there; without a memory all come to the host. */
  readonly stays?: (output: string) => boolean;
}

/** Owns one native session; `release` frees it. */
export class CompiledProgram {
  readonly #session: ort.InferenceSession;
  readonly #inputs: readonly string[];
  /** Weights are fed again at every run: their ONNX Runtime tensors are created once. */
  readonly #tensors = new WeakMap<TensorData, ort.Tensor>();
  readonly #round = otherRounding();
  readonly #memory: DeviceMemory | null;
  readonly #stay: ReadonlySet<string>;
  readonly outputs: readonly string[];

  private constructor(
    session: ort.InferenceSession,
    inputs: readonly string[],
    outputs: readonly string[],
    memory: DeviceMemory | null,
    stay: ReadonlySet<string>,
  ) {
    this.#session = session;
    this.#inputs = inputs;
    this.outputs = outputs;
    this.#memory = memory;
    this.#stay = stay;
  }

  static async compile(program: Program, o: SessionOptions = {}): Promise<CompiledProgram> {
    const { threads = 0, spinning = false, lean = false, memory = null } = o;
    const outputs = Object.keys(program.outputs);
    const stay = new Set(memory === null ? [] : outputs.filter((name) => o.stays?.(name) === true));
    const session = await createSession(program, {
      ...{ threads, spinning, lean, device: memory?.device ?? o.device ?? "cpu" },
      stay: memory === null ? null : stay,
    });
    return new CompiledProgram(session, usedInputs(program), outputs, memory, stay);
  }

  /**
   * Runs the program on `feeds`, falling back to `weights`, which can contain unused ones, for missing inputs. The
   * outputs are new arrays, on the device those that stay there. Unused feeds are ignored.
   */
  async run(feeds: Params<TensorData>, weights: Params<TensorData> = {}): Promise<Record<string, TensorData>> {
    const memory = this.#memory;
    if (memory !== null) {
      const fed = Object.fromEntries(this.#inputs.map((name) => [name, this.#find(name, feeds, weights)]));
      return memory.enqueue(() => memory.run(this.#session, fed, this.#stay));
    }
    const fed: Record<string, ort.Tensor> = {};
    for (const name of this.#inputs) fed[name] = this.#tensorOf(this.#find(name, feeds, weights));
    const results = await this.#session.run(fed, this.outputs);
    const values = this.outputs.map((name) => [name, fromOrt(results[name]!)] as const);
    if (this.#round !== null) for (const [name, value] of values) this.#round(name, value);
    return Object.fromEntries(values);
  }

  #find(name: string, feeds: Params<TensorData>, weights: Params<TensorData>): TensorData {
    const value = feeds[name] ?? weights[name];
    if (value === undefined) throw new Error(`internal: the program input "${name}" was not fed`);
    return value;
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

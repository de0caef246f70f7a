/** A compiled program: an ONNX Runtime session that is fed and fetched by name, over plain typed arrays. */
import * as ort from "onnxruntime-node";
import { toOnnx, usedInputs } from "../compiler/onnx/lower.ts";
import type { Params, Program } from "../compiler/tensor.ts";
import type { DType, TensorArray, TensorData } from "../core/tensor-data.ts";

export interface SessionOptions {
  /** Threads inside an operator; 0 lets ONNX Runtime choose. */
  readonly threads?: number;
}

/** Owns one native session; `release` frees it. */
export class Session {
  readonly #session: ort.InferenceSession;
  readonly #inputs: readonly string[];
  readonly outputs: readonly string[];

  private constructor(session: ort.InferenceSession, inputs: readonly string[], outputs: readonly string[]) {
    this.#session = session;
    this.#inputs = inputs;
    this.outputs = outputs;
  }

  static async compile(program: Program, o: SessionOptions = {}): Promise<Session> {
    const session = await ort.InferenceSession.create(toOnnx(program), {
      executionProviders: ["cpu"],
      graphOptimizationLevel: "all",
      intraOpNumThreads: o.threads ?? 0,
      interOpNumThreads: 1,
      executionMode: "sequential",
      enableMemPattern: false,
      logSeverityLevel: 3,
      // Threads that spin while they wait take the cores from those that work; LOG.md has the figures.
      extra: { session: { intra_op: { allow_spinning: "0" } } },
    });
    return new Session(session, usedInputs(program), Object.keys(program.outputs));
  }

  /**
   * Runs the program. Arrays given in `into` receive their outputs in place (a cache may be fed and fetched as the
   * same array); the other outputs are new. Inputs that the program does not use are ignored.
   */
  async run(feeds: Params<TensorData>, into: Params<TensorData> = {}): Promise<Record<string, TensorData>> {
    const fed: Record<string, ort.Tensor> = {};
    for (const name of this.#inputs) {
      const value = feeds[name];
      if (value === undefined) throw new Error(`internal: the program input "${name}" was not fed`);
      fed[name] = toOrt(value);
    }
    const fetched: Record<string, ort.Tensor | null> = {};
    for (const name of this.outputs) fetched[name] = into[name] === undefined ? null : toOrt(into[name]);
    const results = await this.#session.run(fed, fetched);
    return Object.fromEntries(this.outputs.map((name) => [name, into[name] ?? fromOrt(results[name]!)]));
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

function toOrt(value: TensorData): ort.Tensor {
  if (value.dtype === "float64") throw new Error("internal: float64 runs in the interpreter only");
  // The element type and the array class belong together by construction of TensorData.
  return new ort.Tensor(value.dtype as "float32", value.data as Float32Array, value.shape);
}

function fromOrt(value: ort.Tensor): TensorData {
  return { dtype: value.type as DType, shape: value.dims, data: value.data as TensorArray };
}

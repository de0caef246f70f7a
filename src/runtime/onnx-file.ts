/** Runs another program's ONNX model file; inputs and outputs keep the names of the file. */
import { existsSync } from "node:fs";
import * as ort from "onnxruntime-node";
import { messageOf, UserError } from "../core/errors.ts";
import { otherRounding } from "./rounding.ts";

/** An input or output: elements and a shape. */
export type OnnxValue =
  | { readonly dtype: "int64"; readonly shape: readonly number[]; readonly data: BigInt64Array }
  | { readonly dtype: "float32"; readonly shape: readonly number[]; readonly data: Float32Array };

export interface OnnxFile {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Runs the model and returns one output, which must be float32. */
  run(feeds: Readonly<Record<string, OnnxValue>>, output: string): Promise<Extract<OnnxValue, { dtype: "float32" }>>;
  close(): Promise<void>;
}

/** Opens a file; throws UserError naming the file if it is missing or ONNX Runtime cannot read it. */
export async function openOnnxFile(path: string, threads = 0): Promise<OnnxFile> {
  if (!existsSync(path)) throw new UserError(`${path}: no such model file`);
  const session = await ort.InferenceSession.create(path, {
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    logSeverityLevel: 3,
    // As for our own programs: spinning threads take cores from those that work.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  }).catch((cause: unknown) => {
    throw new UserError(`${path} is not a model that ONNX Runtime can read: ${messageOf(cause)}`, { cause });
  });
  const round = otherRounding();
  return {
    inputs: session.inputNames,
    outputs: session.outputNames,
    async run(feeds, output) {
      const fed = Object.entries(feeds).map(([name, { dtype, data, shape }]) => {
        return [name, new ort.Tensor(dtype as "float32", data as Float32Array, shape)] as const;
      });
      const value = (await session.run(Object.fromEntries(fed), [output]))[output]!;
      if (value.type !== "float32") throw new UserError(`${path}: the output ${output} is ${value.type}, not float32`);
      const result = { dtype: "float32", shape: value.dims, data: value.data as Float32Array } as const;
      round?.(output, result);
      return result;
    },
    close: () => session.release(),
  };
}

/**
 * A trained attachment beside an engine: its values, gradients and moments, and what runs it. Whatever it stands on, it is
 * given numbers and returns numbers, so the model's own weights stay as they are.
 */
import { grad, vjp } from "../compiler/grad.ts";
import { input, type Params, type Program } from "../compiler/tensor.ts";
import { UserError } from "../core/errors.ts";
import { normal, randomKey } from "../core/random.ts";
import { float32, sizeOf, type TensorData } from "../core/tensor-data.ts";
import { requireFinite } from "../io/finite.ts";
import { type NamedTensor, openSafetensors, writeSafetensors } from "../io/safetensors.ts";
import { adamWStep, clipScale, globalNorm } from "../nn/adamw.ts";
import type { Attachment } from "../nn/attachments/attachment.ts";
import { type AttachmentName, attachments } from "../nn/attachments/index.ts";
import { type HeadLoss, type HeadLossName, headLosses } from "../nn/attachments/losses.ts";
import { createVectorKernels } from "../nn/vector-kernels.ts";
import { CompiledProgram } from "../runtime/session.ts";
import type { OptimResult, OptimStep } from "./optim-step.ts";

export interface LossOfHead {
  readonly loss: number;
  readonly gradients: Params<Float32Array>;
}

export interface Attached {
  readonly values: Params<TensorData>;
  /** Optimiser steps so far. */
  readonly steps: number;
  /** y of x [rows, width]. */
  forward(x: TensorData): Promise<TensorData>;
  /** Accumulates the gradient of its weights from that of y; returns that of x. */
  backward(x: TensorData, dy: TensorData): Promise<TensorData>;
  step(o: OptimStep): OptimResult;
  /** A loss of its outputs, with the gradients by those that `headLosses` names; compiled on first use. */
  loss(name: HeadLossName, feeds: Params<TensorData>): Promise<LossOfHead>;
  /** Its weights, and with `training` its moments, under the names that `restore` asks for. */
  state(training: boolean): readonly NamedTensor[];
  /** Takes what `read` has under its names; without moments they begin anew. */
  restore(read: (name: string) => Float32Array | null, steps: number): void;
  close(): Promise<void>;
}

/** The configuration of an attachment by name. */
export type AttachmentConfig<Name extends AttachmentName> =
  (typeof attachments)[Name] extends Attachment<infer Config> ? Config : never;

/** A fresh attachment of this name; what is drawn depends on seed and names alone. */
export async function attach<Name extends AttachmentName>(
  name: Name,
  config: AttachmentConfig<Name>,
  { seed, threads = 1 }: { readonly seed: number; readonly threads?: number },
): Promise<Attached> {
  const attachment = attachments[name] as unknown as Attachment<AttachmentConfig<Name>>;
  const specs = attachment.params(config);
  const names = Object.keys(specs);
  const values = Object.fromEntries(
    names.map((name) => {
      const { shape, std } = specs[name]!;
      const key = randomKey(seed, "attachment", attachment.name, name);
      return [
        name,
        float32(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, (_, i) => std * normal(key, i)),
        ),
      ];
    }),
  );
  const weights = Object.fromEntries(names.map((name) => [name, input(name, "float32", specs[name]!.shape)]));
  const x = attachment.input(config);
  const y = attachment.apply(weights, x, config);
  const dy = input("dy", "float32", y.shape);
  const gradients = vjp([y], [dy], [x, ...Object.values(weights)]);
  const inputs = { x, ...weights };
  const forward = await CompiledProgram.compile({ inputs, outputs: { y } }, { threads });
  const outputs = Object.fromEntries(["x", ...names].map((name, i) => [`d.${name}`, gradients[i]!]));
  const backward = await CompiledProgram.compile({ inputs: { ...inputs, dy }, outputs }, { threads });
  const kernels = createVectorKernels();
  const accumulated = new Map<string, Float32Array>();
  const zeros = () => new Map(names.map((name) => [name, new Float32Array(sizeOf(specs[name]!.shape))]));
  const moments = { first: zeros(), second: zeros() };
  const losses = new Map<string, Promise<CompiledProgram>>();
  let steps = 0;

  return {
    values,
    forward: async (x) => (await forward.run({ x }, values))["y"]!,
    async backward(x, dy) {
      const results = await backward.run({ x, dy }, values);
      for (const name of names) {
        const gradient = results[`d.${name}`]!.data as Float32Array;
        const total = accumulated.get(name);
        if (total === undefined) accumulated.set(name, gradient);
        else kernels.addInPlace(total, gradient);
      }
      return results["d.x"]!;
    },
    step(o) {
      const gradNorm = globalNorm(kernels, accumulated.values());
      if (Number.isFinite(gradNorm)) {
        steps++;
        const scale = clipScale(gradNorm, o.maxGradNorm);
        for (const [name, gradient] of accumulated) {
          const state = { first: moments.first.get(name)!, second: moments.second.get(name)! };
          const weightDecay = specs[name]!.shape.length >= 2 ? o.weightDecay : 0;
          const parameter = values[name]!.data as Float32Array;
          adamWStep(kernels, parameter, gradient, state, { ...o, weightDecay }, steps, scale);
        }
      }
      accumulated.clear();
      return { gradNorm };
    },
    async loss(name, feeds) {
      const { make, wrt } = headLosses[name];
      const width = feeds[wrt[0]!]!.shape.at(-1)!;
      const key = `${name}.${width}`;
      let program = losses.get(key);
      if (program === undefined) {
        program = CompiledProgram.compile(lossWithGradients(make(width), wrt), { threads });
        losses.set(key, program);
      }
      const { loss, ...found } = await (await program).run(feeds);
      const gradients = wrt.map((input) => [input, found[`d.${input}`]!.data as Float32Array]);
      return { loss: loss!.data[0]!, gradients: Object.fromEntries(gradients) };
    },
    get steps() {
      return steps;
    },
    state(training) {
      const named = (prefix: string, of: (name: string) => Float32Array): NamedTensor[] =>
        names.map((name) => ({ name: prefix + name, shape: specs[name]!.shape, data: of(name) }));
      return [
        ...named("", (name) => values[name]!.data as Float32Array),
        ...(training ? kinds : []).flatMap((kind) => named(`${kind}.`, (name) => moments[kind].get(name)!)),
      ];
    },
    restore(read, before) {
      for (const name of names) fill(values[name]!.data as Float32Array, read(name), `${attachment.name}.${name}`);
      const moved = kinds.every((kind) => names.every((name) => read(`${kind}.${name}`) !== null));
      for (const kind of kinds) {
        for (const name of names) {
          const into = moments[kind].get(name)!;
          if (moved) fill(into, read(`${kind}.${name}`), `${attachment.name}.${kind}.${name}`);
          else into.fill(0);
        }
      }
      steps = moved ? before : 0;
      accumulated.clear();
    },
    async close() {
      await forward.release();
      await backward.release();
      for (const program of losses.values()) await (await program).release();
    },
  };
}

const kinds = ["first", "second"] as const;

function fill(into: Float32Array, data: Float32Array | null, name: string): void {
  if (data?.length !== into.length) {
    throw new UserError(`${name} has ${data?.length ?? 0} numbers, ${into.length} are needed: it is of other settings`);
  }
  into.set(data);
}

/** Writes attachments to one file, by their keys, with texts of the caller's own. */
export function saveAttached(
  path: string,
  parts: Readonly<Record<string, Attached>>,
  o: { readonly training: boolean; readonly metadata?: Readonly<Record<string, string>> },
): void {
  const tensors = Object.entries(parts).flatMap(([key, part]) =>
    part.state(o.training).map((tensor) => ({ ...tensor, name: `${key}.${tensor.name}` })),
  );
  const steps = Object.entries(parts).map(([key, part]) => [`steps.${key}`, String(part.steps)]);
  writeSafetensors(path, tensors, "F32", { ...o.metadata, ...Object.fromEntries(steps) });
}

/** Restores what `saveAttached` wrote and returns its texts; UserError for a file that does not fit. */
export function loadAttached(
  path: string,
  parts: Readonly<Record<string, Attached>>,
): Readonly<Record<string, string>> {
  const file = openSafetensors(path);
  try {
    for (const [key, part] of Object.entries(parts)) {
      const read = (name: string) => {
        const stored = `${key}.${name}`;
        return file.names.includes(stored) ? requireFinite(file.readFloat32(stored), stored, path) : null;
      };
      part.restore(read, Number(file.metadata[`steps.${key}`] ?? 0));
    }
    return file.metadata;
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`${path}: ${error.message}`, { cause: error });
    throw error;
  } finally {
    file.close();
  }
}

/** Outputs "loss" and "d.<input>". */
function lossWithGradients({ inputs, loss }: HeadLoss, wrt: readonly string[]): Program {
  const gradients = grad(
    loss,
    wrt.map((name) => inputs[name]!),
  );
  return { inputs, outputs: { loss, ...Object.fromEntries(wrt.map((name, i) => [`d.${name}`, gradients[i]!])) } };
}

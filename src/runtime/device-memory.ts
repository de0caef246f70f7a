/**
 * The memory of a device that keeps arrays between programs. Work on it is done in the order in which it is asked for, so
 * whoever asks need not wait; only what is read is waited for.
 */
import type * as ort from "onnxruntime-node";
import { mul } from "../compiler/ops/index.ts";
import { input, type Program, scalar } from "../compiler/tensor.ts";
import type { Device } from "../core/device.ts";
import { messageOf, UserError } from "../core/errors.ts";
import type { DType, TensorArray, TensorData } from "../core/tensor-data.ts";
import { sizeOf } from "../core/tensor-data.ts";
import { createSession, fromOrt, toOrt } from "./create-session.ts";

/** What crossed between host and device, and how programs ran there, in some time. */
export interface DeviceTraffic {
  /** Bytes to the device and from it. */
  readonly bytesTo: number;
  readonly bytesFrom: number;
  /** The same by the names under which programs know them. */
  readonly to: Readonly<Record<string, number>>;
  readonly from: Readonly<Record<string, number>>;
  /** Programs started, and the seconds of those that somebody waited for because their results are read. */
  readonly launches: number;
  readonly waitedSeconds: number;
  /** Arrays there at its end, their bytes, and the most bytes at once since the device was opened. */
  readonly arrays: number;
  readonly bytes: number;
  readonly peakBytes: number;
}

/** How ONNX Runtime 1.30 and Dawn say that a buffer could not be made: most often by refusing to use it. */
const NO_MEMORY = /\[Invalid Buffer|Failed to create GPU buffer|out of memory|out_of_device_memory|maxBufferSize/i;

const BYTES: Readonly<Record<DType, number>> = { float32: 4, float64: 8, int32: 4, uint8: 1, bool: 1 };

export const bytesOfShape = ({ dtype, shape }: Pick<TensorData, "dtype" | "shape">) => BYTES[dtype] * sizeOf(shape);

/**
 * An array whose numbers lie on the device. It begins with those of a host array, which go there when a program first needs
 * them, or empty, until work on it is done. `data` is there before that, and after `DeviceMemory.fetch` until it changes.
 */
export class DeviceTensor implements TensorData {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Of `DeviceMemory` alone. */
  buffer: ort.Tensor | null = null;
  host: TensorArray | null;

  constructor({ dtype, shape }: Pick<TensorData, "dtype" | "shape">, host: TensorArray | null) {
    this.dtype = dtype;
    this.shape = shape;
    this.host = host;
  }

  get data(): TensorArray {
    if (this.host === null)
      throw new Error(`internal: an array [${this.shape}] on the device was read without fetching`);
    return this.host;
  }
}

export class DeviceMemory {
  readonly device: Device;
  #queue: Promise<unknown> = Promise.resolve();
  #failure: { readonly error: unknown } | null = null;
  readonly #sessions = new Map<string, Promise<ort.InferenceSession>>();
  readonly #to: Record<string, number> = {};
  readonly #from: Record<string, number> = {};
  #taken: DeviceTraffic | null = null;
  #launches = 0;
  #waited = 0;
  readonly #held = new Set<DeviceTensor>();
  #bytes = 0;
  #peak = 0;

  constructor(device: Device) {
    this.device = device;
  }

  get traffic(): DeviceTraffic {
    const total = (of: Readonly<Record<string, number>>) => Object.values(of).reduce((sum, bytes) => sum + bytes, 0);
    return {
      ...{ bytesTo: total(this.#to), bytesFrom: total(this.#from), to: { ...this.#to }, from: { ...this.#from } },
      ...{ launches: this.#launches, waitedSeconds: this.#waited },
      ...{ arrays: this.#held.size, bytes: this.#bytes, peakBytes: this.#peak },
    };
  }

  /** What it did since this was asked for last. */
  takeUse(): DeviceTraffic {
    const now = this.traffic;
    const before = this.#taken;
    this.#taken = now;
    const since = (counts: Readonly<Record<string, number>>, then: Readonly<Record<string, number>> = {}) =>
      Object.fromEntries(
        Object.entries(counts).flatMap(([name, bytes]) => {
          const more = bytes - (then[name] ?? 0);
          return more === 0 ? [] : [[name, more]];
        }),
      );
    return {
      ...now,
      bytesTo: now.bytesTo - (before?.bytesTo ?? 0),
      bytesFrom: now.bytesFrom - (before?.bytesFrom ?? 0),
      to: since(now.to, before?.to),
      from: since(now.from, before?.from),
      launches: now.launches - (before?.launches ?? 0),
      waitedSeconds: now.waitedSeconds - (before?.waitedSeconds ?? 0),
    };
  }

  /** Does work after all that was asked for before; what failed there fails here. */
  enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(() => {
      if (this.#failure !== null) throw this.#failure.error;
      return work();
    });
    this.#queue = done.catch(() => {});
    return done;
  }

  /** The same where nobody waits: the failure is that of whoever reads next. */
  ask(work: () => Promise<void>): void {
    this.enqueue(work).catch((error: unknown) => {
      this.#failure ??= { error };
    });
  }

  /** Waits until all that was asked for is handed to the device; what failed there fails here. */
  async settle(): Promise<void> {
    await this.enqueue(async () => {});
  }

  /** Runs a session within the queue; outputs that stay become arrays on the device, others may be counted as something. */
  async run(
    session: ort.InferenceSession,
    fed: Readonly<Record<string, TensorData>>,
    stay: ReadonlySet<string>,
    counted: Readonly<Record<string, string>> = {},
  ): Promise<Record<string, TensorData>> {
    await this.#place(fed);
    const feeds: Record<string, ort.Tensor> = {};
    for (const [name, value] of Object.entries(fed)) {
      if (!(value instanceof DeviceTensor)) count(this.#to, name, value.data.byteLength);
      feeds[name] = value instanceof DeviceTensor ? value.buffer! : toOrt(value);
    }
    const start = performance.now();
    const results = await this.#within(session.run(feeds), fed);
    this.#launches++;
    if (session.outputNames.some((name) => !stay.has(name))) this.#waited += (performance.now() - start) / 1000;
    return Object.fromEntries(
      session.outputNames.map((name) => {
        const result = results[name]!;
        if (stay.has(name)) return [name, this.#adopt(result)];
        const value = fromOrt(result);
        count(this.#from, counted[name] ?? name, value.data.byteLength);
        return [name, value];
      }),
    );
  }

  /** Makes host copies of arrays, counted as `what`: their `data` can be read until they change. */
  async fetch(values: Iterable<TensorData>, what: string): Promise<void> {
    for (const value of values) {
      if (!(value instanceof DeviceTensor)) continue;
      await this.enqueue(async () => {
        if (value.host !== null) return;
        if (value.buffer === null) throw new Error(`internal: an array [${value.shape}] was read after its release`);
        const session = await this.#copier([value], false);
        const { "copy.0": read } = await this.run(session, { "x.0": value }, new Set(), { "copy.0": what });
        value.host = read!.data;
      });
    }
  }

  /** Forgets the host copies of arrays whose numbers lie on the device. */
  forget(values: Iterable<TensorData>): void {
    this.ask(async () => {
      for (const value of values) if (value instanceof DeviceTensor && value.buffer !== null) value.host = null;
    });
  }

  /** Gives `target` other numbers, from the host. */
  write(target: DeviceTensor, data: TensorArray): void {
    this.ask(async () => {
      this.#free(target);
      target.host = data;
    });
  }

  /** Gives `target` what another array holds, which is empty then; within the queue. */
  move(from: TensorData, target: DeviceTensor): void {
    const source = from as DeviceTensor;
    const { buffer } = source;
    source.buffer = null;
    this.#drop(source);
    this.#free(target);
    this.#hold(target, buffer!);
  }

  release(values: Iterable<TensorData>): void {
    const own = [...values].filter((value) => value instanceof DeviceTensor);
    if (own.length === 0) return;
    this.ask(async () => {
      for (const value of own) this.#free(value);
    });
  }

  /** Frees everything there; the sessions that ran on it are closed afterwards, or the process ends. */
  async close(): Promise<void> {
    await this.#queue;
    for (const value of [...this.#held]) this.#free(value);
    for (const session of this.#sessions.values()) await (await session).release();
    this.#sessions.clear();
  }

  /** Takes to the device, in one program, those that a program is fed and whose numbers are still the host's. */
  async #place(fed: Readonly<Record<string, TensorData>>): Promise<void> {
    const names = new Map<DeviceTensor, string>();
    for (const [name, value] of Object.entries(fed)) {
      if (value instanceof DeviceTensor && value.buffer === null) names.set(value, name);
    }
    if (names.size === 0) return;
    const feeds: Record<string, ort.Tensor> = {};
    for (const [i, [value, name]] of [...names].entries()) {
      if (value.host === null) throw new Error(`internal: "${name}" [${value.shape}] was used after its release`);
      count(this.#to, name, value.host.byteLength);
      feeds[`x.${i}`] = toOrt({ dtype: value.dtype, shape: value.shape, data: value.host });
    }
    const session = await this.#copier([...names.keys()], true);
    const placed = await this.#within(session.run(feeds), fed);
    this.#launches++;
    for (const [i, value] of [...names.keys()].entries()) {
      this.#hold(value, placed[`copy.${i}`]!);
      value.host = null;
    }
  }

  /** What a program gives; one sentence where the device has no memory left for it. */
  async #within<T>(results: Promise<T>, fed: Readonly<Record<string, TensorData>>): Promise<T> {
    try {
      return await results;
    } catch (error) {
      if (!NO_MEMORY.test(messageOf(error))) throw error;
      const [name, { shape }] = Object.entries(fed).reduce((a, b) => (bytesOfShape(b[1]) > bytesOfShape(a[1]) ? b : a));
      throw new UserError(
        `the device ${this.device} has no memory for what a program makes of "${name}" [${shape}], beside ${(this.#bytes / 1e9).toPrecision(3)} GB of arrays there; lower engine.micro_batch_tokens, engine.rows or engine.activation_memory_gb, train adapters (model.lora: {}), or compute on the cpu`,
        { cause: error },
      );
    }
  }

  #adopt(result: ort.Tensor): DeviceTensor {
    const made = new DeviceTensor({ dtype: result.type as DType, shape: result.dims }, null);
    this.#hold(made, result);
    return made;
  }

  #hold(value: DeviceTensor, buffer: ort.Tensor): void {
    value.buffer = buffer;
    this.#held.add(value);
    this.#bytes += bytesOfShape(value);
    this.#peak = Math.max(this.#peak, this.#bytes);
  }

  #free(value: DeviceTensor): void {
    value.host = null;
    if (value.buffer === null) return;
    value.buffer.dispose();
    value.buffer = null;
    this.#drop(value);
  }

  #drop(value: DeviceTensor): void {
    if (this.#held.delete(value)) this.#bytes -= bytesOfShape(value);
  }

  /** A program that copies arrays of these types and ranks, to the device or from it. */
  #copier(values: readonly TensorData[], there: boolean): Promise<ort.InferenceSession> {
    const kinds = values.map(({ dtype, shape }) => ({ dtype, rank: shape.length }));
    const key = `${there} ${kinds.map(({ dtype, rank }) => `${dtype}.${rank}`)}`;
    let session = this.#sessions.get(key);
    if (session === undefined) {
      const program = copyProgram(kinds);
      session = createSession(program, {
        ...{ device: this.device, threads: 1, spinning: false, lean: false },
        stay: new Set(there ? Object.keys(program.outputs) : []),
      });
      this.#sessions.set(key, session);
    }
    return session;
  }
}

/** Copies of "x.i" as "copy.i". */
function copyProgram(kinds: readonly { readonly dtype: DType; readonly rank: number }[]): Program {
  const all = kinds.map(({ dtype, rank }, i) => {
    const axes = Array.from({ length: rank }, (_, axis) => `d${axis}.${i}`);
    return input(`x.${i}`, dtype, axes);
  });
  const copies = all.map((x) => (x.dtype === "float32" ? mul(x, scalar(1)) : x));
  return {
    inputs: Object.fromEntries(all.map((x, i) => [`x.${i}`, x])),
    outputs: Object.fromEntries(copies.map((copy, i) => [`copy.${i}`, copy])),
  };
}

function count(of: Record<string, number>, name: string, bytes: number): void {
  of[name] = (of[name] ?? 0) + bytes;
}

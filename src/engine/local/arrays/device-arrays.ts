/** Arrays in a device's memory: small programs there, which leave what they make where it is. */
import type { Params, Program } from "../../../compiler/tensor.ts";
import type { Device } from "../../../core/device.ts";
import { float32, int32, type TensorData } from "../../../core/tensor-data.ts";
import { updateFactors } from "../../../nn/adamw.ts";
import { createSession } from "../../../runtime/create-session.ts";
import { DeviceMemory, DeviceTensor } from "../../../runtime/device-memory.ts";
import type { Arrays, Moments } from "./arrays.ts";
import { cacheArrays } from "./device-caches.ts";
import {
  adamWProgram,
  addProgram,
  addRowsProgram,
  copyProgram,
  mixProgram,
  numbered,
  rowsProgram,
  squaresProgram,
  zerosProgram,
} from "./device-programs.ts";
import { weightGroups } from "./weight-groups.ts";

export function deviceArrays(device: Device, threads: number): Arrays {
  const memory = new DeviceMemory(device);
  const sessions = new Map<string, ReturnType<typeof createSession>>();

  /** Runs a program within the queue; all it makes stays on the device, but for "norm". */
  const run = async (key: string, program: () => Program, feeds: Params<TensorData>) => {
    const made = sessions.get(key) ?? open(program());
    sessions.set(key, made);
    const session = await made;
    return memory.run(session, feeds, staying(session.outputNames));
  };
  const open = (program: Program) => {
    const stay = staying(Object.keys(program.outputs));
    return createSession(program, { device, threads, spinning: false, lean: false, stay });
  };
  const staying = (outputs: readonly string[]) => new Set(outputs.filter((name) => name !== "norm"));
  /** A new array of this shape, as the program will make it. */
  const make = (
    shape: readonly number[],
    key: string,
    program: () => Program,
    feeds: Params<TensorData>,
  ): TensorData => {
    const made = new DeviceTensor({ dtype: "float32", shape }, null);
    memory.ask(async () => memory.move((await run(key, program, feeds))["y"]!, made));
    return made;
  };
  /** Replaces arrays by what a program makes of them: its output "new x" of its input x. */
  const change = (targets: Params<TensorData>, key: string, program: () => Program, feeds: Params<TensorData>) => {
    memory.ask(async () => {
      const made = await run(key, program, { ...feeds, ...targets });
      for (const [name, target] of Object.entries(targets)) memory.move(made[`new ${name}`]!, target as DeviceTensor);
    });
  };

  /** New arrays of these shapes, the program's "cache i". */
  const makeAll = (
    key: string,
    shapes: readonly (readonly number[])[],
    program: () => Program,
    feeds: Params<TensorData>,
  ): readonly TensorData[] => {
    const made = shapes.map((shape) => new DeviceTensor({ dtype: "float32", shape }, null));
    memory.ask(async () => {
      const results = await run(key, program, feeds);
      for (const [i, target] of made.entries()) memory.move(results[`cache ${i}`]!, target);
    });
    return made;
  };
  const scalars = (values: object): Params<TensorData> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, float32([], [value])]));
  const ranksOf = (values: readonly TensorData[]) => values.map(({ shape }) => shape.length);
  const self: Arrays = {
    memory,
    caches: cacheArrays(makeAll, (held) => self.release(held)),
    hold: (value) => (value instanceof DeviceTensor ? value : new DeviceTensor(value, value.data)),
    release: (values) => memory.release([...values].filter((value) => value !== undefined)),
    fetch: (values, what) => memory.fetch(values, what),
    forget: (values) => memory.forget(values),
    write: (target, data) => memory.write(target as DeviceTensor, data),
    copy: (x) => make(x.shape, `copy.${x.shape.length}`, () => copyProgram(x.shape.length), { x }),
    zerosLike: (x) => make(x.shape, `zeros.${x.shape.length}`, () => zerosProgram(x.shape.length), { x }),
    add(totals, added) {
      if (totals.length === 0) return;
      const ranks = ranksOf(totals);
      change(numbered("total", totals), `add.${ranks}`, () => addProgram(ranks), numbered("added", added));
    },
    mix(totals, others, keep) {
      const ranks = ranksOf(totals);
      const fed = { ...numbered("other", others), ...scalars({ keep, share: 1 - keep }) };
      change(numbered("total", totals), `mix.${ranks}`, () => mixProgram(ranks), fed);
    },
    rows: (x, index) => {
      const shape = [index.length, ...x.shape.slice(1)];
      return make(shape, `rows.${x.shape.length}`, () => rowsProgram(x.shape.length), {
        x,
        "row index": int32([index.length], index),
      });
    },
    addRows(total, index, rows) {
      const kept = Int32Array.from(index.keys()).filter((i) => index[i]! >= 0);
      if (kept.length === 0) return;
      const all = kept.length === index.length;
      const own = all ? rows : self.rows(rows, kept);
      const rank = total.shape.length;
      const at = int32([kept.length], all ? index : kept.map((i) => index[i]!));
      change({ total }, `addRows.${rank}`, () => addRowsProgram(rank), { "row index": at, rows: own });
      if (!all) self.release([own]);
    },
    async norm(values) {
      if (values.length === 0) return 0;
      const ranks = ranksOf(values);
      const program = () => squaresProgram(ranks);
      const { norm } = await memory.enqueue(() => run(`squares.${ranks}`, program, numbered("gradient", values)));
      return Math.sqrt(norm!.data[0]!);
    },
    adamW(weights, { step, gradientScale, ...o }) {
      for (const weightDecay of new Set(weights.map((own) => own.weightDecay))) {
        const factors = scalars(updateFactors({ ...o, weightDecay }, step, gradientScale));
        for (const group of weightGroups(weights.filter((own) => own.weightDecay === weightDecay))) {
          const all = (key: keyof Moments | "weight" | "gradient") =>
            numbered(
              key,
              group.map((own) => own[key]),
            );
          const ranks = ranksOf(group.map(({ weight }) => weight));
          const targets = { ...all("weight"), ...all("first"), ...all("second") };
          change(targets, `adamW.${ranks}`, () => adamWProgram(ranks), { ...all("gradient"), ...factors });
        }
      }
    },
    async close() {
      await memory.close();
      for (const session of sessions.values()) await (await session).release();
      sessions.clear();
    },
  };
  return self;
}

/**
 * Weights & Biases: an offline run, which `wandb sync` uploads. A folder as the client makes it, whose .wandb file holds records of
 * wandb_internal.proto (https://github.com/wandb/wandb/blob/main/wandb/proto/wandb_internal.proto).
 */
import { dirname, join } from "node:path";
import { jsonLine } from "../runs/jsonl.ts";
import { appendAt, holds } from "./append-file.ts";
import { type Field, message } from "./protobuf.ts";
import type { Sample, Scalars, TrackedRun, Tracker } from "./tracker.ts";
import { logRecords, wandbHeader } from "./wandb-log.ts";
import { sampleFiles } from "./wandb-media.ts";

/** Fields of Record: one of them is set, beside its number (field 1). */
const kinds = { history: 2, summary: 3, files: 6, run: 17, exit: 18, header: 21, footer: 22 } as const;

export const wandb: Tracker = {
  place: "folder",
  has: (run, at, { bytes }) => holds(recordFile(run, at), Number(bytes)),
  async deliver(news, at, state) {
    const { run, scalars, samples, ended } = news;
    const file = recordFile(run, at);
    const isNew = state === null;
    const { bytes: written, records: known } = { bytes: 0, records: 0, ...state };
    let number = Number(known);
    const encoded = (records: readonly Content[]) =>
      records.map(([kind, content]) => message([1, "int", ++number], [kinds[kind], "bytes", content]));
    const media = samples.map((sample) => sampleRow(sample, join(dirname(file), "files")));
    const content = [
      ...(isNew ? opening(run) : []),
      ...media.map(({ files }): Content => ["files", message(...files)]),
      ...bySteps([...scalars, ...media]).map((row): Content => ["history", history(run, row)]),
      ...(scalars.length > 0 ? [summary(scalars)] : []),
    ];
    const start = isNew ? [wandbHeader] : [];
    const offset = isNew ? wandbHeader.length : Number(written);
    const bytes = appendAt(file, Number(written), [...start, logRecords(encoded(content), offset)]);
    const records = number;
    // What ends the run is not counted in: a run that is given more steps goes on before it.
    if (ended) appendAt(file, bytes, [logRecords(encoded(ending), bytes)]);
    return { bytes, records };
  },
};

type Content = readonly [kind: keyof typeof kinds, content: Uint8Array];

/** Eight letters and digits, as W&B names runs. */
function wandbId({ id }: TrackedRun): string {
  return id.slice(0, 8);
}

function recordFile(run: TrackedRun, at: string): string {
  return join(at, runFolder(run), `run-${wandbId(run)}.wandb`);
}

/** "offline-run-20250714_101530-1a2b3c4d": what `wandb sync` looks for. */
function runFolder(run: TrackedRun): string {
  const [date, time] = new Date(run.created)
    .toISOString()
    .replace(/[-:]|\..*$/g, "")
    .split("T");
  return `offline-run-${date}_${time}-${wandbId(run)}`;
}

function opening(run: TrackedRun): readonly Content[] {
  const config = Object.entries(run.config).map(([key, value]) => [1, "bytes", item(key, value)] as const);
  const seconds = Math.floor(run.created / 1000);
  const started = message([1, "int", seconds], [2, "int", (run.created % 1000) * 1_000_000]);
  return [
    ["header", message()],
    [
      "run",
      message(
        [1, "text", wandbId(run)],
        [3, "text", run.project],
        [4, "bytes", message(...config)],
        [8, "text", run.name],
        [17, "bytes", started],
      ),
    ],
  ];
}

/** What belongs to a step is one row where it comes together. */
function bySteps(parts: readonly Row[]): readonly Row[] {
  const rows = new Map<number, Row>();
  for (const { step, time, values } of parts) {
    rows.set(step, { step, time, values: { ...rows.get(step)?.values, ...values } });
  }
  return [...rows.values()].sort((a, b) => a.step - b.step);
}

type Row = Pick<Scalars, "step" | "time"> & { readonly values: Readonly<Record<string, unknown>> };

const ending: readonly Content[] = [
  ["exit", message([1, "int", 0])],
  ["footer", message()],
];

function history(run: TrackedRun, { step, time, values }: Row): Uint8Array {
  const clock = { _step: step, _timestamp: time / 1000, _runtime: (time - run.created) / 1000 };
  const items = Object.entries({ ...values, ...clock }).map(([key, value]): Field => [1, "bytes", item(key, value)]);
  return message(...items, [2, "bytes", message([1, "int", step])]);
}

/** The latest value of each name. */
function summary(scalars: readonly Scalars[]): Content {
  const latest = Object.assign({}, ...scalars.map(({ values }) => values)) as Scalars["values"];
  const updates = Object.entries(latest).map(([key, value]): Field => [1, "bytes", item(key, value)]);
  return ["summary", message(...updates)];
}

/** A sample's part of the history, once its files are written; `files` lists them. */
function sampleRow(sample: Sample, folder: string): Row & { readonly files: readonly Field[] } {
  const shown = sampleFiles(sample, folder);
  return {
    ...{ step: sample.step, time: sample.time },
    values: Object.fromEntries(shown.map(({ name, value }) => [name, value])),
    files: shown.map(({ value }): Field => [1, "bytes", message([1, "text", value.path])]),
  };
}

/** The same for items of configuration, history and summary. Numbers that JSON lacks are texts, as the client writes them. */
function item(key: string, value: unknown): Uint8Array {
  return message([1, "text", key], [16, "text", jsonLine({ value }).slice('{"value":'.length, -2)]);
}

/**
 * TensorBoard: one event file per run, TFRecords of the protocol buffer tensorflow.Event. Numbers are `simple_value`, which every
 * reader takes and which has 32 bits.
 * (https://github.com/tensorflow/tensorboard/tree/master/tensorboard/compat/proto: event.proto, summary.proto, tensor.proto)
 */
import { join } from "node:path";
import { stringify } from "yaml";
import { appendAt, holds } from "./append-file.ts";
import { message } from "./protobuf.ts";
import { tfRecord } from "./tfrecord.ts";
import type { News, Sample, Scalars, TrackedRun, Tracker } from "./tracker.ts";

export const tensorboard: Tracker = {
  place: "folder",
  has: (run, at, { bytes }) => holds(eventFile(run, at), Number(bytes)),
  async deliver(news, at, state) {
    const start = state === null ? opening(news) : [];
    const events = [...start, ...news.scalars.map(scalarEvent), ...news.samples.map(sampleEvent)];
    return { bytes: appendAt(eventFile(news.run, at), Number(state?.["bytes"] ?? 0), events.map(tfRecord)) };
  },
};

/** A name that TensorBoard looks for. */
function eventFile({ created, id }: TrackedRun, at: string): string {
  const seconds = String(Math.floor(created / 1000)).padStart(10, "0");
  return join(at, `events.out.tfevents.${seconds}.viva-${id.slice(0, 8)}`);
}

const stringType = 7; // tensorflow.DT_STRING
const rgb = 3;

function opening({ run }: News): readonly Uint8Array[] {
  const config = `    ${stringify(run.config, { lineWidth: 0 }).trimEnd().replaceAll("\n", "\n    ")}\n`;
  return [
    message([1, "double", run.created / 1000], [3, "text", "brain.Event:2"]),
    event({ step: 0, time: run.created }, [text("recipe", config)]),
  ];
}

function scalarEvent(scalars: Scalars): Uint8Array {
  return event(
    scalars,
    Object.entries(scalars.values).map(([tag, value]) => message([1, "text", tag], [2, "float", value])),
  );
}

function sampleEvent(sample: Sample): Uint8Array {
  const images = sample.images.map(({ png, width, height }, i) => {
    const image = message([1, "int", height], [2, "int", width], [3, "int", rgb], [4, "bytes", png]);
    return message([1, "text", `rollouts/image_${i}`], [4, "bytes", image]);
  });
  return event(sample, [text("rollouts/sample", sample.markdown), ...images]);
}

function text(tag: string, content: string): Uint8Array {
  const shape = message([2, "bytes", message([1, "int", 1])]);
  const tensor = message([1, "int", stringType], [2, "bytes", shape], [8, "text", content]);
  const metadata = message([1, "bytes", message([1, "text", "text"])]);
  return message([1, "text", tag], [8, "bytes", tensor], [9, "bytes", metadata]);
}

function event(
  { step, time }: { readonly step: number; readonly time: number },
  values: readonly Uint8Array[],
): Uint8Array {
  const summary = message(...values.map((value) => [1, "bytes", value] as const));
  return message([1, "double", time / 1000], [2, "int", step], [5, "bytes", summary]);
}

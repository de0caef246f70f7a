/** The request and the result of forward_backward, both binary, in both directions. */

import { UserError } from "../core/errors.ts";
import { bytesOf, float32From, int64From } from "./arrays.ts";
import { type Datum, datumMessage, readDatum } from "./datum.ts";
import { DTYPE, decode, encode } from "./schema.ts";

export interface ForwardBackwardRequest {
  readonly modelId: string;
  /** Counts a model's requests from 1. */
  readonly seqId: number;
  readonly data: readonly Datum[];
  readonly lossFn: string;
  /** Such as `clip_low_threshold`; text only from SDK 0.38.0. */
  readonly lossConfig: Readonly<Record<string, number | string>>;
  /** Computes losses and log-probs, no gradients. */
  readonly forwardOnly: boolean;
}

export interface ForwardBackwardOutput {
  /** By name, such as `logprobs`, one array per datum in the request's order. */
  readonly outputs: readonly Readonly<Record<string, Float32Array>>[];
  /** Names end with how parts of a batch are put together: `loss:sum`. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** Numbers of the loss's configuration are sent in both forms, as SDK 0.38.0 does. */
export function encodeForwardBackwardRequest(request: ForwardBackwardRequest): Uint8Array {
  const config = Object.entries(request.lossConfig);
  const numbers = config.filter(([, value]) => typeof value === "number");
  return encode("ForwardBackwardRequest", {
    model_id: request.modelId,
    seq_id: request.seqId,
    data: request.data.map(datumMessage),
    loss_fn: request.lossFn,
    loss_fn_config: Object.fromEntries(numbers),
    forward_only: request.forwardOnly,
    loss_fn_config_v2: Object.fromEntries(
      config.map(([name, value]) => [name, typeof value === "number" ? { number: value } : { text: value }]),
    ),
  });
}

interface RequestFields {
  readonly model_id: string;
  readonly seq_id: number;
  readonly data?: readonly unknown[];
  readonly loss_fn: string;
  readonly loss_fn_config?: Readonly<Record<string, number>>;
  readonly forward_only: boolean;
  readonly loss_fn_config_v2?: Readonly<Record<string, { readonly number?: number; readonly text?: string }>>;
}

/** Throws UserError for bytes that are no such request, and for parts of it that viva does not read. */
export function decodeForwardBackwardRequest(bytes: Uint8Array): ForwardBackwardRequest {
  const message = decode<RequestFields>("ForwardBackwardRequest", bytes);
  const second = Object.entries(message.loss_fn_config_v2 ?? {}).map(([name, value]) => {
    return [name, (Object.hasOwn(value, "text") ? value.text : value.number) ?? 0] as const;
  });
  return {
    modelId: message.model_id,
    seqId: message.seq_id,
    data: (message.data ?? []).map((datum, i) => readDatum(datum, `data[${i}]`)),
    lossFn: message.loss_fn,
    lossConfig: { ...message.loss_fn_config, ...Object.fromEntries(second) },
    forwardOnly: message.forward_only,
  };
}

/** Whose turn a request is, though its data cannot be read; null where it does not say. Throws UserError for other bytes. */
export function decodeForwardBackwardTurn(bytes: Uint8Array): Pick<ForwardBackwardRequest, "modelId" | "seqId"> | null {
  const { model_id, seq_id } = decode<RequestFields>("ForwardBackwardRequest", bytes);
  return model_id === "" || seq_id < 1 ? null : { modelId: model_id, seqId: seq_id };
}

/**
 * One record holds datums that follow each other with equally many targets per token, `widths` (null where arrays
 * are [T]); their arrays stand one after another.
 */
export function encodeForwardBackwardOutput(
  { outputs, metrics }: ForwardBackwardOutput,
  widths: readonly (number | null)[] = [],
): Uint8Array {
  const runs: { readonly width: number | null; readonly members: ForwardBackwardOutput["outputs"][number][] }[] = [];
  for (const [i, output] of outputs.entries()) {
    const width = widths[i] ?? null;
    if (runs.at(-1)?.width !== width) runs.push({ width, members: [] });
    runs.at(-1)!.members.push(output);
  }
  return encode("ForwardBackwardOutput", {
    loss_fn_output_type: "ArrayRecord",
    loss_fn_outputs: runs.map(({ width, members }) => recordOf(members, width)),
    metrics,
  });
}

function recordOf(outputs: ForwardBackwardOutput["outputs"], width: number | null): object {
  const fields = Object.keys(outputs[0]!).map((name) => {
    const offsets = [0];
    for (const output of outputs) offsets.push(offsets.at(-1)! + output[name]!.byteLength);
    const data = Buffer.concat(outputs.map((output) => bytesOf(output[name]!)));
    const trailing_shape = width === null ? [] : [width];
    return [name, { data, offsets: int64From(offsets), dtype: DTYPE.float32, trailing_shape }] as const;
  });
  return { fields: Object.fromEntries(fields), num_datums: outputs.length };
}

interface OutputFields {
  readonly loss_fn_outputs?: readonly {
    readonly fields?: Readonly<Record<string, BatchedFields>>;
    readonly num_datums?: unknown;
  }[];
  readonly metrics?: Readonly<Record<string, number>>;
}

interface BatchedFields {
  readonly data?: Uint8Array;
  readonly offsets?: Uint8Array;
  readonly dtype?: number;
}

/** Arrays of other types than float32 are left out. Throws UserError. */
export function decodeForwardBackwardOutput(bytes: Uint8Array): ForwardBackwardOutput {
  const message = decode<OutputFields>("ForwardBackwardOutput", bytes);
  const outputs = (message.loss_fn_outputs ?? []).flatMap(({ fields = {}, num_datums }) => {
    const count = Number(num_datums ?? 0);
    const records: Record<string, Float32Array>[] = Array.from({ length: count }, () => ({}));
    for (const [name, field] of Object.entries(fields)) {
      if (field.dtype !== DTYPE.float32) continue;
      for (const [i, part] of partsOf(field, count, name).entries()) records[i]![name] = part;
    }
    return records;
  });
  return { outputs, metrics: { ...message.metrics } };
}

function partsOf(
  { data = new Uint8Array(), offsets = new Uint8Array() }: BatchedFields,
  count: number,
  name: string,
): readonly Float32Array[] {
  const ends = Array.from({ length: offsets.length / 8 }, (_, i) => {
    return Number(new DataView(offsets.buffer, offsets.byteOffset).getBigInt64(8 * i, true));
  });
  const isRight = ends.length === count + 1 && ends[0] === 0 && ends.at(-1) === data.length;
  if (!isRight || ends.some((end, i) => i > 0 && end < ends[i - 1]!)) {
    throw new UserError(`the result's array ${name} is cut wrongly for ${count} datums`);
  }
  return ends.slice(1).map((end, i) => float32From(data.subarray(ends[i]!, end), name));
}

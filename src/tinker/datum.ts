/** A datum: one sequence of text and images with the arrays that a loss reads, each as long as the sequence. */

import { UserError } from "../core/errors.ts";
import { bytesOf, float32From, int32From, int32FromInt64, int64From, numbersOf } from "./arrays.ts";
import { DTYPE } from "./schema.ts";

/** A part of a model's input. */
export type Chunk = TextChunk | ImageChunk;

export interface TextChunk {
  readonly type: "tokens";
  readonly tokens: Int32Array;
}

export interface ImageChunk {
  readonly type: "image";
  /** The content of an image file. */
  readonly data: Uint8Array;
  /** `png` or `jpeg`; what the bytes say decides. */
  readonly format: string;
  /** Tokens of the model's input that the sender counts for it; null where it counts none. */
  readonly expectedTokens: number | null;
}

/** A dense array: float32 numbers, or token ids (int64 on the wire). */
export interface WireTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

export interface Datum {
  readonly chunks: readonly Chunk[];
  /** `target_tokens`, and by the loss `weights`, `logprobs`, `advantages`. */
  readonly inputs: Readonly<Record<string, WireTensor>>;
}

/** A datum in the schema's form. */
export function datumMessage({ chunks, inputs }: Datum): object {
  return {
    model_input: chunks.map(chunkMessage),
    loss_fn_inputs: Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensorMessage(tensor)])),
  };
}

interface DatumFields {
  readonly model_input?: readonly ChunkFields[];
  readonly loss_fn_inputs?: Readonly<Record<string, TensorFields>>;
}

/** Throws UserError; `where` names the datum. */
export function readDatum(message: unknown, where: string): Datum {
  const { model_input = [], loss_fn_inputs = {} } = message as DatumFields;
  const inputs = Object.entries(loss_fn_inputs).map(([name, tensor]) => {
    return [name, readTensor(tensor, `${where}.loss_fn_inputs.${name}`)] as const;
  });
  return {
    chunks: model_input.map((chunk, i) => readChunk(chunk, `${where}.model_input[${i}]`)),
    inputs: Object.fromEntries(inputs),
  };
}

function chunkMessage(chunk: Chunk): object {
  if (chunk.type === "tokens") return { encoded_text: { tokens: bytesOf(chunk.tokens) } };
  const { data, format, expectedTokens } = chunk;
  return { image: { data, format, ...(expectedTokens === null ? {} : { expected_tokens: expectedTokens }) } };
}

interface ChunkFields {
  readonly encoded_text?: { readonly tokens?: Uint8Array } | null;
  readonly image?: {
    readonly data?: Uint8Array;
    readonly format?: string;
    readonly expected_tokens?: number | null;
    readonly override_dimensions?: Uint8Array | null;
  } | null;
}

function readChunk({ encoded_text, image }: ChunkFields, where: string): Chunk {
  if (encoded_text != null) {
    return { type: "tokens", tokens: int32From(encoded_text.tokens ?? new Uint8Array(), where) };
  }
  if (image == null) throw new UserError(`${where}: only text and image chunks are read`);
  if (image.override_dimensions != null) {
    throw new UserError(`${where}: override_dimensions is not supported: send the image in the size it is to have`);
  }
  const { data = new Uint8Array(), format = "", expected_tokens = null } = image;
  return { type: "image", data: new Uint8Array(data), format, expectedTokens: expected_tokens };
}

function tensorMessage({ shape, data }: WireTensor): object {
  const isFloat = data instanceof Float32Array;
  return { dense: isFloat ? bytesOf(data) : int64From(data), dtype: isFloat ? DTYPE.float32 : DTYPE.int64, shape };
}

interface TensorFields {
  readonly dense?: Uint8Array | null;
  readonly sparse_csr?: Uint8Array | null;
  readonly dtype?: number;
  readonly shape?: readonly unknown[];
}

function readTensor({ dense, sparse_csr, dtype, shape }: TensorFields, where: string): WireTensor {
  if (sparse_csr != null) throw new UserError(`${where}: sparse tensors are not supported: send a dense one`);
  const data = arrayOf(dense ?? new Uint8Array(), dtype, where);
  const sizes = numbersOf(shape);
  const size = sizes.reduce((product, n) => product * n, 1);
  if (sizes.length > 0 && size !== data.length) {
    throw new UserError(`${where}: shape [${sizes.join(", ")}] holds ${size} values, ${data.length} were sent`);
  }
  return { shape: sizes.length > 0 ? sizes : [data.length], data };
}

function arrayOf(bytes: Uint8Array, dtype: number | undefined, where: string): WireTensor["data"] {
  if (dtype === DTYPE.float32) return float32From(bytes, where);
  if (dtype === DTYPE.int64) return int32FromInt64(bytes, where);
  throw new UserError(`${where}: dtype ${dtype ?? 0} is not supported: float32 and int64 are`);
}

/** The wire of the Tinker API, for both sides: binary messages, JSON bodies, JSON answers. */
export type { Chunk, Datum, ImageChunk, TextChunk, WireTensor } from "./datum.ts";
export {
  decodeForwardBackwardOutput,
  decodeForwardBackwardRequest,
  decodeForwardBackwardTurn,
  encodeForwardBackwardOutput,
  encodeForwardBackwardRequest,
  type ForwardBackwardOutput,
  type ForwardBackwardRequest,
} from "./forward-backward.ts";
export * as replies from "./replies.ts";
export * as requests from "./requests.ts";
export {
  decodeSampleResponse,
  encodeSampleResponse,
  type SampledSequence,
  type SampleResponse,
} from "./sample-response.ts";

/** The content type of binary messages. */
export const PROTOBUF = "application/x-protobuf";

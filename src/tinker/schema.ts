/**
 * The binary messages of the Tinker API as viva reads and writes them: our own text, with the field numbers of the
 * released SDKs (tinker 0.25.0 and 0.38.0). Fields that viva has no use for are left out; protobuf passes over them.
 */
import protobuf from "protobufjs";
import { UserError } from "../core/errors.ts";

/** Tokens, numbers and offsets are little-endian arrays inside `bytes`. */
const text = `
syntax = "proto3";

message ForwardBackwardRequest {
  string model_id = 1;
  int32 seq_id = 2;
  repeated Datum data = 3;
  string loss_fn = 4;
  map<string, double> loss_fn_config = 5;
  bool forward_only = 6;
  map<string, LossConfigValue> loss_fn_config_v2 = 7;
}

message LossConfigValue {
  oneof value {
    double number = 1;
    string text = 2;
  }
}

message Datum {
  repeated Chunk model_input = 1;
  map<string, Tensor> loss_fn_inputs = 2;
}

message Chunk {
  oneof chunk {
    TextChunk encoded_text = 1;
    ImageChunk image = 2;
    bytes dmel = 3;
  }
}

message TextChunk {
  bytes tokens = 1;
}

message ImageChunk {
  bytes data = 1;
  string format = 2;
  optional int32 expected_tokens = 3;
  optional bytes override_dimensions = 4;
}

message Tensor {
  optional bytes dense = 1;
  optional bytes sparse_csr = 2;
  DType dtype = 3;
  repeated int64 shape = 4;
}

enum DType {
  DTYPE_UNSPECIFIED = 0;
  DTYPE_FLOAT32 = 1;
  DTYPE_INT64 = 2;
  DTYPE_INT32 = 3;
  DTYPE_BFLOAT16 = 4;
}

message ForwardBackwardOutput {
  string loss_fn_output_type = 1;
  repeated ArrayRecord loss_fn_outputs = 2;
  map<string, double> metrics = 3;
}

message ArrayRecord {
  string type_tag = 1;
  map<string, BatchedTensor> fields = 2;
  int64 num_datums = 3;
}

message BatchedTensor {
  bytes data = 1;
  bytes offsets = 2;
  DType dtype = 3;
  repeated int64 trailing_shape = 4;
}

message SampleResponse {
  repeated SampledSequence sequences = 1;
  optional bytes prompt_logprobs = 2;
}

message SampledSequence {
  StopReason stop_reason = 1;
  bytes tokens = 2;
  optional bytes logprobs = 3;
}

enum StopReason {
  STOP_REASON_STOP = 0;
  STOP_REASON_LENGTH = 1;
}
`;

/** Values of DType. */
export const DTYPE = { float32: 1, int64: 2, int32: 3 } as const;

const { root } = protobuf.parse(text, { keepCase: true });

/** Encodes a message of the schema. */
export function encode(message: string, value: object): Uint8Array {
  return root.lookupType(message).encode(value).finish();
}

/** Decodes a message of the schema; a field that was not sent has its default. Throws UserError for bytes that are none. */
export function decode<T>(message: string, bytes: Uint8Array): T {
  try {
    return root.lookupType(message).decode(bytes) as unknown as T;
  } catch (cause) {
    throw new UserError(`the body is no ${message} in protobuf`, { cause });
  }
}

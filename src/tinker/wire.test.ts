/** The binary messages equal those of the released SDK, and what viva writes it reads back. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { UserError } from "../core/errors.ts";
import {
  decodeForwardBackwardOutput,
  decodeForwardBackwardRequest,
  decodeSampleResponse,
  encodeForwardBackwardOutput,
  encodeForwardBackwardRequest,
  encodeSampleResponse,
  type ForwardBackwardRequest,
  replies,
  requests,
} from "./index.ts";
import { encode } from "./schema.ts";

const golden = JSON.parse(readFileSync(new URL("../../test/golden/tinker.json", import.meta.url), "utf8"));
const bytes = (name: string) => Buffer.from(golden[name], "hex");

const request: ForwardBackwardRequest = {
  modelId: "session:train:0",
  seqId: 3,
  lossFn: "ppo",
  lossConfig: { clip_low_threshold: 0.8, clip_high_threshold: 1.28 },
  forwardOnly: true,
  data: [
    {
      chunks: [
        { type: "tokens", tokens: Int32Array.of(10, 20) },
        { type: "image", data: Uint8Array.of(0x89, 0x50, 0x4e, 0x47), format: "png", expectedTokens: 4 },
        { type: "tokens", tokens: Int32Array.of(30, 40) },
      ],
      inputs: {
        target_tokens: { shape: [4], data: Int32Array.of(20, 30, 40, 70000) },
        weights: { shape: [4], data: Float32Array.of(0, 0, 1, 0.5) },
      },
    },
  ],
};

describe("messages of SDK 0.38.0", () => {
  test("a request", () => {
    expect(decodeForwardBackwardRequest(bytes("request"))).toEqual(request);
    // Entries of a map come in any order, so the bytes may differ: what they say may not.
    const written = encodeForwardBackwardRequest(request);
    expect(written.length).toBe(bytes("request").length);
    expect(decodeForwardBackwardRequest(written)).toEqual(request);
  });

  test("a result", () => {
    const output = {
      outputs: [{ logprobs: Float32Array.of(-1.5, -2.25) }, { logprobs: Float32Array.of(-0.5) }],
      metrics: { "loss:sum": 1.5 },
    };
    expect(decodeForwardBackwardOutput(bytes("output"))).toEqual(output);
    expect(Buffer.from(encodeForwardBackwardOutput(output)).toString("hex")).toBe(golden.output);
  });

  test("samples", () => {
    const tokens = Int32Array.of(5, 6);
    const response = {
      sequences: [{ stopReason: "length", tokens, logProbs: Float32Array.of(-0.25, -3) }],
      promptLogProbs: Float32Array.of(Number.NaN, -2),
    } as const;
    expect(decodeSampleResponse(bytes("sample"))).toEqual(response);
    expect(Buffer.from(encodeSampleResponse(response)).toString("hex")).toBe(golden.sample);
  });
});

describe("what is not read is refused by its place", () => {
  const sent = (datum: object) => encode("ForwardBackwardRequest", { model_id: "m", data: [datum] });
  test.each([
    [{ model_input: [{ dmel: Uint8Array.of(1) }] }, "data[0].model_input[0]: only text and image"],
    [
      { model_input: [{ image: { data: Uint8Array.of(1), override_dimensions: Uint8Array.of(8, 1) } }] },
      "override_dim",
    ],
    [{ loss_fn_inputs: { weights: { sparse_csr: Uint8Array.of(), dtype: 1 } } }, "loss_fn_inputs.weights: sparse"],
    [{ loss_fn_inputs: { weights: { dense: Uint8Array.of(1, 2), dtype: 1 } } }, "2 bytes are no whole number"],
    [{ loss_fn_inputs: { weights: { dense: new Uint8Array(8), dtype: 4 } } }, "dtype 4"],
    [
      { loss_fn_inputs: { weights: { dense: new Uint8Array(8), dtype: 1, shape: [3] } } },
      "shape [3] holds 3 values, 2",
    ],
    [
      { loss_fn_inputs: { target_tokens: { dense: new Uint8Array(8).fill(9), dtype: 2 } } },
      "target_tokens: 651061555542690057 is no token id",
    ],
  ])("%j", (datum, reason) => {
    expect(() => decodeForwardBackwardRequest(sent(datum))).toThrow(UserError);
    expect(() => decodeForwardBackwardRequest(sent(datum))).toThrow(reason);
  });

  test("bytes that are no message", () => {
    expect(() => decodeForwardBackwardRequest(Uint8Array.of(0x1a, 0x7f, 1))).toThrow("no ForwardBackwardRequest");
    expect(() => decodeSampleResponse(Uint8Array.of(0x0a, 0x7f))).toThrow("no SampleResponse");
  });

  test("a result whose arrays are cut wrongly", () => {
    const offsets = new Uint8Array(BigInt64Array.of(0n, 12n, 8n).buffer);
    const fields = { logprobs: { data: new Uint8Array(8), offsets, dtype: 1 } };
    const message = encode("ForwardBackwardOutput", { loss_fn_outputs: [{ fields, num_datums: 2 }] });
    expect(() => decodeForwardBackwardOutput(message)).toThrow("array logprobs is cut wrongly for 2 datums");
  });
});

describe("JSON", () => {
  const sample = {
    prompt: { chunks: [{ type: "encoded_text", tokens: [1, 2] }] },
    sampling_params: { max_tokens: 4, seed: null, temperature: 1, top_k: -1, top_p: 1 },
    sampling_session_id: "s",
    seq_id: 0,
    prompt_logprobs: false,
    topk_prompt_logprobs: 0,
    type: "sample",
  };

  test("a request for samples, of both SDKs", () => {
    const later = { topk_sample_logprobs: 0, prompt_alt_tokens_k: 0, record_stability_info: false, num_samples: 2 };
    expect(requests.sample.parse(sample).num_samples).toBe(1);
    expect(requests.sample.parse({ ...sample, ...later }).num_samples).toBe(2);
  });

  test.each([
    [{ topk_prompt_logprobs: 5 }, "topk_prompt_logprobs is not supported"],
    [{ sampling_params: { ...sample.sampling_params, top_k: 20 } }, "top_k is not supported"],
    [{ some_new_field: 1 }, "some_new_field"],
  ])("%j would change the samples, so it is refused", (change, reason) => {
    const { error } = requests.sample.safeParse({ ...sample, ...change });
    expect(JSON.stringify(error!.issues)).toContain(reason);
  });

  test("an answer may have more than is read", () => {
    const answer = { request_id: "1", future_id: "1", status: "pending" };
    expect(replies.promise.parse(answer)).toEqual({ request_id: "1" });
  });
});

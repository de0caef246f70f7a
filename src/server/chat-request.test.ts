import { describe, expect, it } from "vitest";
import { ApiError } from "./api-error.ts";
import { readChatRequest } from "./chat-request.ts";

const film = "data:image/png;base64,iVBORw0KGgo=";
const look = (url: object, part: object = {}) => [
  {
    role: "user",
    content: [
      { type: "image_url", image_url: { url: film, ...url }, ...part },
      { type: "text", text: "Well?" },
    ],
  },
];
const body = { model: "m", messages: [{ role: "user", content: "Is it clear?" }] };
const read = (change: object) => readChatRequest({ ...body, ...change });

/** The error that a change of the body gives. */
function refusal(change: object): ApiError {
  try {
    read(change);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error("it was taken");
}

describe("a chat request", () => {
  it.each<[string, object]>([
    ["OpenAI's", { presence_penalty: 0, frequency_penalty: 0.0, logit_bias: {}, tool_choice: "auto", top_logprobs: 0 }],
    ["vLLM's", { repetition_penalty: 1.0, top_k: -1, min_p: 0, length_penalty: 1, min_tokens: 0, ignore_eos: false }],
    ["llama.cpp's", { repeat_penalty: 1, typical_p: 1, mirostat: 0, tfs_z: 1, dry_multiplier: 0, cache_prompt: true }],
    ["of templates", { chat_template_kwargs: {}, add_generation_prompt: true, skip_special_tokens: true }],
    ["of tools", { tools: [], functions: [], modalities: ["text"], response_format: { type: "text" } }],
    ["null everywhere", { stop: null, tools: null, reasoning: null, stream_options: null, max_tokens: null }],
  ])("takes values that ask for nothing: %s", (_, change) => {
    expect(read(change)).toEqual(readChatRequest(body));
  });

  it.each<[string, object, string]>([
    ["a penalty", { repetition_penalty: 1.1 }, "repetition_penalty"],
    ["a least probability", { min_p: 0.05 }, "min_p"],
    ["a top-k", { top_k: 50 }, "top_k"],
    ["a neutral value as a text", { presence_penalty: "0" }, "presence_penalty"],
    ["JSON", { response_format: { type: "json_object" } }, "response_format"],
    [
      "a schema",
      { response_format: { type: "json_schema", json_schema: { name: "x", schema: {} } } },
      "response_format",
    ],
    ["text with a schema", { response_format: { type: "text", json_schema: {} } }, "response_format"],
    ["template options", { chat_template_kwargs: { enable_thinking: false } }, "chat_template_kwargs"],
    ["special tokens in the text", { skip_special_tokens: false }, "skip_special_tokens"],
    ["what nobody knows", { beam_width: 4 }, "beam_width"],
    ["what objects inherit", { constructor: 1 }, "constructor"],
    ["other likely tokens", { logprobs: true, top_logprobs: 2 }, "top_logprobs"],
  ])("refuses %s by its name", (_, change, param) => {
    expect(refusal(change)).toMatchObject({ status: 400, param });
  });

  it("says which value of a sampler it takes", () => {
    expect(refusal({ repetition_penalty: 1.1 }).message).toBe(
      "repetition_penalty is not supported: leave it out, or give 1",
    );
  });

  it("takes every detail of an image", () => {
    for (const detail of ["auto", "low", "high", null]) {
      expect(read({ messages: look({ detail }) }).messages).toEqual(read({ messages: look({}) }).messages);
    }
    expect(refusal({ messages: look({ detail: "tiny" }) }).param).toBe("messages[0].content[0].image_url.detail");
  });

  it("takes DICOM, and a frame of it", () => {
    const image = (url: string) => {
      const messages = [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }];
      const [part] = read({ messages }).messages[0]!.content;
      return part?.type === "image"
        ? { path: part.image.path, bytes: Buffer.from(part.image.bytes!).toString() }
        : null;
    };
    const path = "messages[0].content[0].image_url.url";
    expect(image("data:application/dicom;base64,aGVsbG8=")).toEqual({ path, bytes: "hello" });
    expect(image("data:application/dicom;frame=12;base64,aGVsbG8=")?.path).toBe(`${path}#frame=12`);
    expect(refusal({ messages: look({ url: "data:application/pdf;base64,aGVsbG8=" }) }).code).toBe("invalid_image_url");
  });

  const turns = (assistant: object) => [...body.messages, { role: "assistant", content: "Yes.", ...assistant }];
  it.each<[string, object[], string]>([
    ["a part's limits", look({}, { max_pixels: 3136 }), "messages[0].content[0].max_pixels"],
    ["an image's limits", look({ resized_height: 56 }), "messages[0].content[0].image_url.resized_height"],
    ["a part's name", look({}, { uuid: "x" }), "messages[0].content[0].uuid"],
    ["a message's weight", [{ role: "user", content: "q?", weight: 0 }], "messages[0].weight"],
    ["a system message's key", [{ role: "system", content: "s", id: 1 }, ...body.messages], "messages[0].id"],
    ["a beginning to go on with", turns({ prefix: true }), "messages[1].prefix"],
    ["a thought", turns({ reasoning_content: "long" }), "messages[1].reasoning_content"],
    ["half a call of a tool", turns({ tool_calls: [{ id: "1" }] }), "messages[1].tool_calls[0].type"],
    [
      "a text part's key",
      [{ role: "user", content: [{ type: "text", text: "q", weight: 2 }] }],
      "messages[0].content[0].weight",
    ],
  ])("refuses %s in messages by its path", (_, messages, param) => {
    const { status, param: found, message } = refusal({ messages });
    expect([status, found]).toEqual([400, param]);
    expect(message).toContain(param);
  });

  it("takes back an answer as servers give it", () => {
    const empty = {
      refusal: null,
      annotations: [],
      tool_calls: [],
      audio: null,
      reasoning_content: null,
      parsed: null,
    };
    expect(read({ messages: turns(empty) }).messages).toEqual(read({ messages: turns({}) }).messages);
    expect(read({ messages: turns({ reasoning: "" }) }).messages).toHaveLength(2);
  });

  it.each<[string, unknown, RegExp]>([
    ["null", null, /^messages\[0\]\.content: expected a text, or a list of parts of type text and image_url$/],
    ["a number", 7, /^messages\[0\]\.content: expected a text, or a list of parts/],
    ["nothing in the list", [], /^messages\[0\]\.content: expected at least 1 item$/],
    ["an address alone", [{ type: "image_url", image_url: film }], /image_url: expected \{url: data:image/],
  ])("says what content is expected in place of %s", (_, content, message) => {
    expect(refusal({ messages: [{ role: "user", content }] }).message).toMatch(message);
  });

  it("wants a tool's answer to be to a call, and tools to have names of their own", () => {
    const call = { id: "a", type: "function", function: { name: "look", arguments: "{}" } };
    const messages = [...turns({ tool_calls: [call] }).slice(0, 2), { role: "tool", tool_call_id: "b", content: "x" }];
    expect(refusal({ messages }).message).toBe('messages[2].tool_call_id: no call before it has the id "b"');
    const tool = { type: "function", function: { name: "look" } };
    expect(refusal({ tools: [tool, tool] }).message).toBe('tools: two have the name "look"');
  });

  it("names the limit that was given", () => {
    expect(read({ max_tokens: 4 })).toMatchObject({ maxTokens: 4, maxTokensField: "max_tokens" });
    expect(read({ max_completion_tokens: 4 })).toMatchObject({ maxTokens: 4, maxTokensField: "max_completion_tokens" });
  });
});

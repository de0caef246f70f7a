/** Requests with tools against a model that says what the test makes it say. */
import { describe, expect, it } from "vitest";
import type { Message } from "../core/records.ts";
import type { LiveToken } from "../engine/engine.ts";
import { type ServedModel, startChat, wholeAnswer } from "./chat.ts";
import { readChatRequest } from "./chat-request.ts";
import { completionBody, deltaChunk } from "./completion.ts";
import { RequestPool } from "./request-pool.ts";

const tools = [
  { type: "function", function: { name: "crop", description: "Looks closer.", parameters: { type: "object" } } },
];
const call = '<tool_call>{"name": "crop", "arguments": {"box": [1, 2, 3, 4]}}</tool_call>';

/** One token for each letter; what it was asked is noted. */
function saying(text: string) {
  const asked: { messages?: readonly Message[]; prefix?: string; given?: number } = {};
  let isOver = false;
  const model = {
    ...{ name: "m", created: 0, fingerprint: "f", contextLength: 5000 },
    processor: {
      layOut: () => ({ tokenIds: new Int32Array(3), imageFeatures: [] }),
      encode: async (messages: readonly Message[], o: { readonly assistantPrefix?: string } = {}) => {
        Object.assign(asked, { messages, prefix: o.assistantPrefix });
        return { text: "", tokenIds: new Int32Array(3), images: [] };
      },
      decode: (ids: ArrayLike<number>) => String.fromCharCode(...Array.from(ids)),
    },
    engine: {
      decode: () => ({
        tokens: (async function* (): AsyncGenerator<LiveToken> {
          for (const [i, letter] of [...text].entries()) {
            if (isOver) return;
            asked.given = i + 1;
            yield { completion: 0, tokenId: letter.charCodeAt(0), logProb: -1, finishReason: null };
          }
          yield { completion: 0, tokenId: 0, logProb: -1, finishReason: "stop" };
        })(),
        giveUp: () => {
          isOver = true;
        },
      }),
    },
  } as unknown as ServedModel;
  return { model, asked };
}

const limits = { maxCompletionLength: 1000, maxPromptTokens: 1000, maxImagePixels: 1000 };
const question = { role: "user", content: "?" };

async function answer(text: string, body: object) {
  const { model, asked } = saying(text);
  const chat = readChatRequest({ model: "m", messages: [question], ...body });
  const request = new RequestPool({ maxQueue: 4, requestTimeoutSeconds: 60 }).enter();
  try {
    const answering = await startChat(chat, model, limits, request);
    const { choices, usage } = await wholeAnswer(answering, 1);
    const { choices: given } = completionBody(answering.head, choices, { logprobs: false, usage });
    return { choice: given[0]!, asked };
  } finally {
    request.leave();
  }
}

const textOf = (messages: readonly Message[]) =>
  messages.map(
    ({ role, content }) => `${role}: ${content.map((part) => (part.type === "text" ? part.text : "[image]")).join("")}`,
  );

describe("a call", () => {
  it("is taken out of the text and ends the choice", async () => {
    const { choice, asked } = await answer(`Closer. ${call} and more`, { tools });
    expect(choice.finish_reason).toBe("tool_calls");
    expect(choice.message.content).toBe("Closer. ");
    expect(choice.message.tool_calls).toEqual([
      {
        id: expect.stringMatching(/^call_/),
        type: "function",
        function: { name: "crop", arguments: '{"box":[1,2,3,4]}' },
      },
    ]);
    expect(asked.given).toBe(`Closer. ${call}`.length);
    expect(textOf(asked.messages!)[0]).toContain('"name":"crop","description":"Looks closer."');
  });

  it("has no content where nothing stands before it", async () => {
    expect((await answer(call, { tools })).choice.message.content).toBeNull();
  });

  it.each(["<tool_call>{</tool_call>", "<tool_call>never closed", "<tool_ca", "plain"])(
    "%j stays text",
    async (text) => {
      const { choice } = await answer(text, { tools });
      expect([choice.message.content, choice.finish_reason, choice.message.tool_calls]).toEqual([
        text,
        "stop",
        undefined,
      ]);
    },
  );

  it("is not looked for without tools, or with tool_choice none", async () => {
    for (const body of [{}, { tools, tool_choice: "none" }, { tools: [] }]) {
      const { choice, asked } = await answer(call, body);
      expect([choice.message.content, choice.finish_reason]).toEqual([call, "stop"]);
      expect(asked.messages).toHaveLength(1);
    }
  });

  it("can be required, of any tool or of one", async () => {
    const rest = { required: 'crop", "arguments": {}}</tool_call>', named: "{}}</tool_call>" };
    const any = await answer(rest.required, { tools, tool_choice: "required" });
    const one = await answer(rest.named, { tools, tool_choice: { type: "function", function: { name: "crop" } } });
    for (const { choice, asked } of [any, one]) {
      expect(asked.prefix).toMatch(/^<tool_call>\{"name": "/);
      expect(choice.message.tool_calls![0]!.function).toEqual({ name: "crop", arguments: "{}" });
      expect(choice.message.content).toBeNull();
    }
    expect((await answer("nonsense", { tools, tool_choice: "required" })).choice.message.content).toBe("nonsense");
  });

  it("is one chunk of a stream", () => {
    const head = { id: "i", created: 0, model: "m", system_fingerprint: "f" };
    const toolCall = { id: "call_1", name: "crop", arguments: "{}" };
    const { choices } = deltaChunk(head, 0, { text: "", logprobs: [], toolCall, finishReason: "tool_calls" }, false);
    expect(choices).toEqual([
      {
        index: 0,
        delta: {
          tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "crop", arguments: "{}" } }],
        },
        logprobs: null,
        finish_reason: "tool_calls",
      },
    ]);
  });
});

describe("messages", () => {
  it("have calls and what tools answered as in training", async () => {
    const made = { id: "call_1", type: "function", function: { name: "crop", arguments: '{"box": [1, 2, 3, 4]}' } };
    const messages = [
      { role: "system", content: "Be brief." },
      question,
      { role: "assistant", content: null, tool_calls: [made] },
      { role: "tool", tool_call_id: "call_1", content: "nothing there" },
    ];
    const [system, ...others] = textOf((await answer("no", { messages, tools })).asked.messages!);
    expect(system).toMatch(/^system: Be brief\.\n\n# Tools/);
    expect(others).toEqual(["user: ?", `assistant: ${call}`, "user: <tool_response>nothing there</tool_response>"]);
  });

  it.each<[string, object, string]>([
    [
      "a call of a tool that is not there",
      { tools, tool_choice: { type: "function", function: { name: "x" } } },
      "tool_choice",
    ],
    ["a call without tools", { tool_choice: "required" }, "tool_choice"],
    ["a tool of another type", { tools: [{ type: "web_search" }] }, "tools[0].type"],
    [
      "a strict tool",
      { tools: [{ type: "function", function: { name: "f", strict: true } }] },
      "tools[0].function.strict",
    ],
    ["an assistant that says nothing", { messages: [question, { role: "assistant" }] }, "messages[1].content"],
    ["a tool's answer to no call", { messages: [{ role: "tool", content: "x" }] }, "messages[0].tool_call_id"],
  ])("%s is refused", (_, body, param) => {
    expect(() => readChatRequest({ model: "m", messages: [question], ...body })).toThrow(
      expect.objectContaining({ param }),
    );
  });
});

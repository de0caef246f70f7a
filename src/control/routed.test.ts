import { describe, expect, it } from "vitest";
import { characters, promptOf, scriptedModel } from "../../test/control/scripted.ts";
import type { EncodeOptions, Processor } from "../core/processor.ts";
import type { Message, Prompt } from "../core/records.ts";
import type { CaseQuery, Route, SolvedCase } from "./case-index.ts";
import { expertEngine, routedProcessor, withCases } from "./routed.ts";

function engineSaying(word: string) {
  const { model, policy } = scriptedModel(() => ({ text: word, logProb: -word.length / 10 }));
  return { decode: model.decode, policy: { ...policy, embed: async () => [] }, updates: 0, contextLength: 500 };
}

describe("an engine of experts", () => {
  const own = engineSaying("own");
  const engine = expertEngine(
    own,
    new Map([
      ["ct", engineSaying("tomogram")],
      ["mr", engineSaying("resonance")],
    ]),
  );
  const prompts = ["ct", null, "mr", "ct", undefined].map((expert, i) => {
    return promptOf(`Q${i}`, expert === undefined ? {} : { expert });
  });
  const words = ["tomogram", "own", "resonance", "tomogram", "own"];
  const o = { numGenerations: 1, maxCompletionLength: 50, temperature: 0, topP: 1, topK: 0, seed: 0, step: 0 };

  it("samples each prompt from its expert, under its own index", async () => {
    const found: string[] = [];
    for await (const { index, completions } of engine.policy.sample(prompts, o)) found[index] = completions[0]!.text;
    expect(found).toEqual(words);
  });

  it("decodes and scores so too, in the groups' order", async () => {
    for (const [i, prompt] of prompts.entries()) {
      let text = "";
      for await (const { tokenId } of engine.decode!(prompt, o).tokens) text += characters.decode([tokenId]);
      expect(text).toBe(words[i]);
    }
    const groups = prompts.map((prompt, i) => ({
      prompt,
      completions: [words[i]!, "zzz"].slice(0, 1 + (i % 2)).map((text) => {
        return { tokenIds: characters.encodeCompletion(text).slice(0, -1), weight: 1, advantage: 1 };
      }),
    }));
    const { logProbs } = await engine.policy.logProbs(groups, { temperature: 1, topP: 1, topK: 0 });
    expect(logProbs.map((own) => own[0]!.toFixed(1))).toEqual(["-0.8", "-0.3", "-4.0", "-0.9", "-0.8", "-4.0", "-0.3"]);
  });
});

describe("a processor that routes", () => {
  const solved = (n: number): SolvedCase => {
    return { id: `c${n}`, subject: `s${n}`, expert: "ct", question: `Where ${n}?`, answer: `left ${n}`, image: 0 };
  };
  const asked: CaseQuery[] = [];
  const route = (cases: readonly SolvedCase[]) => (query: CaseQuery) => {
    asked.push(query);
    return { nearest: [], shares: new Map(), expert: "ct", cases } satisfies Route;
  };
  const processor = {
    encode: async (messages: readonly Message[], _: EncodeOptions) => promptOf(JSON.stringify(messages)),
  } as unknown as Processor;
  const embed = async (prompts: readonly Prompt[]) => prompts.map(() => Float32Array.of(1, 2));
  const image = { type: "image", image: { path: "x.png" } } as const;
  const messages: readonly Message[] = [
    { role: "user", content: [{ type: "text", text: "Before?" }] },
    { role: "assistant", content: [{ type: "text", text: "No." }] },
    { role: "user", content: [image, { type: "text", text: "Where?" }] },
  ];
  const open = (cases: readonly SolvedCase[], maxPromptTokens = 1000) =>
    routedProcessor(processor, { route: route(cases), embed, maxPromptTokens });

  it("names the expert, and shows cases behind the images of the last question", async () => {
    const { text, expert } = await open([solved(1), solved(2)]).encode(messages);
    expect(expert).toBe("ct");
    const shown = JSON.parse(text) as readonly Message[];
    expect(shown.slice(0, 2)).toEqual(messages.slice(0, 2));
    const cases =
      "Similar cases of other patients:\nQuestion: Where 1?\nAnswer: left 1\nQuestion: Where 2?\nAnswer: left 2\n\n";
    expect(shown[2]!.content).toEqual([image, { type: "text", text: cases }, { type: "text", text: "Where?" }]);
    expect(withCases([], [solved(1)])).toEqual([]);
  });

  it("asks for the question and its subject where they are known, else for the last text", async () => {
    asked.length = 0;
    await open([]).encode(messages, { about: { question: "Where? (left; right)", subjectId: "p7" } });
    await open([]).encode(messages);
    expect(asked.map(({ question, subject }) => [question, subject])).toEqual([
      ["Where? (left; right)", "p7"],
      ["Where?", null],
    ]);
    expect([...asked[0]!.image]).toEqual([1, 2]);
  });

  it("leaves cases out where the prompt would be too long", async () => {
    const plain = await processor.encode(messages);
    const { text } = await open([solved(1)], plain.tokenIds.length + 10).encode(messages);
    expect(text).toBe(plain.text);
  });
});

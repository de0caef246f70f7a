import { describe, expect, it } from "vitest";
import { RunError } from "../../core/errors.ts";
import type { Completion, Example, Message } from "../../core/records.ts";
import { readVerdict } from "../judge-chat.ts";
import type { ChatSettings, RewardContext, RewardLog } from "../reward.ts";
import { judge } from "./judge.ts";

const example: Example = {
  id: "e1",
  subjectId: "s1",
  question: "Which lung?",
  images: [{ path: "film.png" }],
  answer: "left lung",
  answerType: "choice",
  choices: ["left lung", "right lung"],
  rationale: "The opacity lies on the left.",
  meta: {},
};

const completions = [
  "<think>Opaque on the left. {answer}</think><answer>A</answer>",
  "<answer>A</answer>",
  "<think>No idea.</think>",
].map(
  (text): Completion => ({
    tokenIds: new Int32Array(0),
    logProbs: new Float32Array(0),
    text,
    finishReason: "stop",
    policyVersion: 0,
  }),
);

/** A judge that replies by what it is asked, and what it was told and asked. */
function setting(answer: (text: string) => string) {
  const asked: (readonly Message[])[] = [];
  const settings: ChatSettings[] = [];
  const context: RewardContext = {
    services: {
      openChat: (given) => {
        settings.push(given);
        return {
          complete: async (messages) => {
            asked.push(messages);
            const part = messages[0]!.content.at(-1)!;
            return answer(part?.type === "text" ? part.text : "");
          },
        };
      },
      readYaml: () => null,
      openEncoder: () => Promise.reject(new Error("not asked for")),
      openScorer: () => Promise.reject(new Error("not asked for")),
    },
  };
  return { asked, settings, context };
}

const endpoint = { base_url: "http://localhost:8000/v1", model: "m" };

describe("the judge", () => {
  it("is asked about question, reference and reasoning, and gives 1, 0 or null", async () => {
    const { asked, settings, context } = setting((text) => (text.includes("Opaque") ? "VERDICT: YES" : "Hm."));
    const counts: string[] = [];
    const log: RewardLog = { count: (what) => void counts.push(what), event: () => expect.unreachable() };
    const reward = judge({ ...endpoint, api_key_env: "KEY", timeout_s: 3 }, context);
    expect(await reward.score(example, completions, log)).toEqual([1, 0, null]);
    expect(counts).toEqual(["asked", "asked", "unparsable"]);
    expect(asked).toHaveLength(2); // no reasoning, nothing to ask
    const [part] = asked[0]![0]!.content;
    const text = part?.type === "text" ? part.text : "";
    for (const said of ["Which lung?\nA. left lung\nB. right lung", "The opacity lies on the left.", "answer: A\n"]) {
      expect(text).toContain(said);
    }
    expect(text).toContain("Opaque on the left. {answer}"); // what a completion says is never filled in
    expect(settings).toEqual([
      {
        baseUrl: endpoint.base_url,
        model: "m",
        apiKeyEnv: "KEY",
        timeoutSeconds: 3,
        maxRetries: 3,
        maxConcurrency: 8,
        maxTokens: 256,
        maxTokensField: "max_tokens",
        temperature: 0,
        cache: null,
      },
    ]);
  });

  it("sends the image when asked to, before the text", async () => {
    const { asked, context } = setting(() => "yes");
    await judge({ ...endpoint, send_image: true, prompt: "See {rationale}" }, context).score(example, completions);
    expect(asked[0]![0]!.content).toEqual([
      { type: "image", image: { path: "film.png" } },
      { type: "text", text: "See Opaque on the left. {answer}" },
    ]);
  });

  it("stops the run or goes on, by the recipe's word, and never in silence", async () => {
    const { context } = setting(() => {
      throw new RunError("model m at http://localhost:8000/v1: cannot be reached: ECONNREFUSED");
    });
    await expect(judge(endpoint, context).score(example, completions)).rejects.toThrow(/cannot be reached/);
    const counts: string[] = [];
    const events: object[] = [];
    const log: RewardLog = { count: (what) => void counts.push(what), event: (record) => void events.push(record) };
    const skip = judge({ ...endpoint, on_failure: "skip" }, context);
    expect(await skip.score(example, completions, log)).toEqual([null, 0, null]);
    expect(counts).toEqual(["asked", "asked", "failed", "failed"]);
    expect(events[0]).toMatchObject({
      event: "reward_failed",
      example_id: "e1",
      message: expect.stringMatching(/ECONNREFUSED/),
    });
  });

  it("does not hide a bug of its own behind skip", async () => {
    const { context } = setting(() => {
      throw new TypeError("bug");
    });
    await expect(judge({ ...endpoint, on_failure: "skip" }, context).score(example, completions)).rejects.toThrow(
      "bug",
    );
  });
});

describe("readVerdict", () => {
  it.each([
    ["VERDICT: YES", 1],
    ["The trainee first said no.\n**Verdict:** no.", 0],
    ['{"verdict": "yes"}', 1],
    ["Verdict: yes … on reflection, verdict: NO", 0],
    ["The verdict is yes", 1],
    ["Yes.", 1],
    ["no", 0],
    ["VERDICT: YES or NO", null],
    ["VERDICT: YES/NO", null],
    ["VERDICT: maybe", null],
    ["Yes and no", null],
    ["Yes, the reasoning is sound but I am unsure", null],
    ["verdict: nothing", null],
    ["", null],
  ])("%j is %j", (reply, verdict) => {
    expect(readVerdict(reply)).toBe(verdict);
  });
});

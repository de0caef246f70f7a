import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Example } from "../core/records.ts";
import { type AnswerSource, collectAnswers, decodingOf, openPartial } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-collect-"));
afterAll(() => rmSync(folder, { recursive: true }));

const examples: readonly Example[] = ["a", "b", "c"].map((id) => {
  return { id, subjectId: id, question: "?", images: [], answer: "x", answerType: "open", choices: [], meta: {} };
});

/** Answers "<id><number>", and stops after so many answers, as a failing server does. */
function source(stopAfter = Number.POSITIVE_INFINITY) {
  const asked: string[] = [];
  const answering: AnswerSource = {
    style: "plain",
    decoding: decodingOf({ numGenerations: 2, maxCompletionLength: 4 }),
    opensThought: async () => false,
    async answer(all, wanted, { onAnswer, onFailure }) {
      for (const { index, generations } of wanted) {
        for (const generation of generations) {
          if (asked.length >= stopAfter) throw new DOMException("stopped", "AbortError");
          const name = `${all[index]!.id}${generation}`;
          asked.push(name);
          if (name === "c1") onFailure(index, generation, "answered 400");
          else onAnswer(index, generation, { text: name, tokens: 1, finishReason: "stop" });
        }
      }
    },
  };
  return { answering, asked };
}

describe("collectAnswers", () => {
  it("requests only missing answers, skipping a truncated line", async () => {
    const file = join(folder, "out.partial.jsonl");
    const first = openPartial(file, { prompt: "plain" });
    await expect(collectAnswers(source(3).answering, examples, { partial: first })).rejects.toThrow("stopped");
    first.close();
    appendFileSync(file, '{"kind":"answer","example_id":"b","gen');
    const second = openPartial(file, { prompt: "plain" });
    const { answering, asked } = source();
    const answers = await collectAnswers(answering, examples, { partial: second, unanswered: "count" });
    expect(asked).toEqual(["b1", "c0", "c1"]);
    expect(answers.predictions.map((row) => row.map(({ text }) => text))).toEqual([
      ["a0", "a1"],
      ["b0", "b1"],
      ["c0", ""],
    ]);
    expect(answers.predictions[0]![0]).toEqual({ text: "a0", tokens: 1, finishReason: "stop" });
    expect(answers.predictions[2]![1]).toEqual({ text: "", error: "answered 400" });
    second.remove();
    expect(existsSync(file)).toBe(false);
  });

  it("counts the reasons for missing answers, and keeps the others", async () => {
    const file = join(folder, "failed.partial.jsonl");
    const partial = openPartial(file, {});
    await expect(collectAnswers(source().answering, examples, { partial })).rejects.toThrow(
      /^1 of 6 answers could not be obtained \(1 × answered 400; first "c"\); 5 answers are kept in .*failed\.partial/,
    );
    partial.close();
    expect(readFileSync(file, "utf8").trim().split("\n")).toHaveLength(6);
  });
});

describe("openPartial", () => {
  it("refuses answers of another evaluation, naming what differs, and a file in use by another process", () => {
    const file = join(folder, "other.partial.jsonl");
    const open = openPartial(file, { prompt: "plain", decoding: { seed: 1 } });
    expect(() => openPartial(file, { prompt: "plain", decoding: { seed: 1 } })).toThrow(/process|held|writes|uses/);
    open.append("a", 0, { text: "yes" });
    open.close();
    expect(() => openPartial(file, { prompt: "plain", decoding: { seed: 2 } })).toThrow(
      /other\.partial\.jsonl holds the answers of an interrupted evaluation with another decoding: repeat/,
    );
    const again = openPartial(file, { prompt: "plain", decoding: { seed: 1 } });
    expect(again.known.get("a")!.get(0)).toEqual({ text: "yes" });
    again.close();
  });

  it("starts over with a file without answers", () => {
    const file = join(folder, "empty.partial.jsonl");
    openPartial(file, { prompt: "plain" }).close();
    const open = openPartial(file, { prompt: "answer_only" });
    open.append("a", 0, { text: "yes" });
    open.close();
    expect(JSON.parse(readFileSync(file, "utf8").split("\n")[0]!)).toEqual({
      kind: "asked",
      asked: { prompt: "answer_only" },
    });
  });
});

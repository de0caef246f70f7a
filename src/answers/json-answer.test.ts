import { describe, expect, it } from "vitest";
import type { Example } from "../core/records.ts";
import { parseAnswer } from "./parse.ts";
import { promptStyle, targetText } from "./prompts.ts";
import { parseRationale } from "./rationale.ts";
import { followsStyle } from "./tags.ts";

const strict = (text: string) => parseAnswer(text, { style: "json" });
const lenient = (text: string) => parseAnswer(text, { style: "json", lenient: true });

describe("answers as JSON", () => {
  it("are read from one whole object, with their place", () => {
    const text = '{"think": "CRP is high.", "answer": "yes"}';
    const found = strict(text);
    expect(found).toEqual({ text: "yes", start: text.indexOf("yes"), end: text.indexOf("yes") + 3 });
    expect(strict('{ "answer" : 24.5 }')?.text).toBe("24.5");
    expect(strict('{"think":"","answer":true}')?.text).toBe("true");
    expect(strict('{"think":"","answer":"5 \\u00b5m"}')?.text).toBe("5 µm");
    expect(strict('{"answer": "no"}<|im_end|>')?.text).toBe("no");
  });

  it("are none where the text is anything else, and lenient reading looks for the field", () => {
    for (const text of [
      'Here: {"answer": "yes"}',
      '```json\n{"answer":"yes"}\n```',
      '{"think": "cut", "answer": "yes"',
    ]) {
      expect(strict(text), text).toBeNull();
      expect(lenient(text)?.text, text).toBe("yes");
    }
    for (const text of [
      '{"answer": ""}',
      '{"answer": null}',
      '{"answer": ["yes"]}',
      '{"at": {"answer": "yes"}}',
      "[]",
      "{",
    ]) {
      expect(strict(text), text).toBeNull();
    }
    expect(strict('{"think": "they say \\"answer\\": \\"no\\"", "answer": "yes"}')?.text).toBe("yes");
  });

  it("keep to the form only with a thought, an answer and nothing else", () => {
    expect(followsStyle('{"think": "a", "answer": "yes"}', "json")).toBe(true);
    expect(followsStyle('{"answer": "yes"}', "json")).toBe(false);
    expect(followsStyle('{"think": "a", "answer": "yes", "sure": 1}', "json")).toBe(false);
    expect(followsStyle('{"think": "a", "answer": " "}', "json")).toBe(false);
    expect(followsStyle('{"think": "a", "answer": "yes"} ok', "json")).toBe(false);
  });

  it("have a thought as long as its span, cut or not", () => {
    const text = '{"think": "A mass.\\nNo \\"fluid\\".", "answer": "no"}';
    const found = parseRationale(text, "json")!;
    expect(found.text.length).toBe(found.end - found.start);
    expect(found.text.replace(/\s+/g, " ")).toBe('A mass. No "fluid ".');
    expect(parseRationale('{"think": "A mass', "json")?.text).toBe("A mass");
    expect(parseRationale('{"answer": "no"}', "json")).toBeNull();
  });

  it("are taught as they are read", () => {
    const example: Example = {
      ...{ id: "1", subjectId: "1", images: [], question: "Will he?", answer: 'yes, "soon"', choices: [], meta: {} },
      answerType: "open",
      rationale: "CRP is\nhigh.",
    };
    const text = targetText(example, "json", "rationale_answer");
    expect(followsStyle(text, "json")).toBe(true);
    expect(strict(text)?.text).toBe('yes, "soon"');
    expect(promptStyle("json").user).toContain("JSON");
  });
});

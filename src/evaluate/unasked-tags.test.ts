import { expect, it } from "vitest";
import { unaskedTags } from "./unasked-tags.ts";

it("tells of answers in tags that a plain prompt did not ask for, where most are", () => {
  const [tagged, bare] = ["<think>so</think><answer>no</answer>", "no"];
  expect(unaskedTags("plain", [tagged, bare, tagged])).toMatch(/^2 of 3 answers have an <answer> tag.*--prompt/);
  expect(unaskedTags("plain", [tagged, bare])).toBeNull();
  expect(unaskedTags("think_answer", [tagged, tagged])).toBeNull();
  expect(unaskedTags("plain", [])).toBeNull();
});

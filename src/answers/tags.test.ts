import { describe, expect, it } from "vitest";
import { followsStyle, tagShare } from "./tags.ts";

describe("followsStyle", () => {
  const good = "<think>The right lung\nis clear.</think>\n<answer>no</answer>";

  it("asks for each tag once, in order, and nothing around", () => {
    expect(followsStyle(good, "think_answer")).toBe(true);
    for (const bad of [
      ` ${good}`,
      `${good}\n`,
      `${good} done`,
      good.replace("</think>", ""),
      good.replace("</think>\n", "</think> so "),
      good.replace("<think>", "<think><think>"),
      good.replace("</answer>", ""),
      `${good}${good}`,
      "<answer>no</answer><think>x</think>",
      "<think>x<answer>no</answer></think>",
      good.replace("no</answer>", "</answer>"),
      good.replace("no</answer>", " \u200b\n</answer>"),
      good.replace("no</answer>", "...</answer>"),
      "",
    ]) {
      expect(followsStyle(bad, "think_answer"), bad).toBe(false);
    }
  });

  it("supplies <think> when the template opened it, and then refuses a second one", () => {
    const rest = good.slice("<think>".length);
    expect(followsStyle(rest, "think_answer", true)).toBe(true);
    expect(followsStyle(rest, "think_answer", false)).toBe(false);
    expect(followsStyle(good, "think_answer", true)).toBe(false);
  });

  it("knows the other styles", () => {
    expect(followsStyle("<answer>no</answer>", "answer_only")).toBe(true);
    expect(followsStyle("<answer></answer>", "answer_only")).toBe(false);
    expect(followsStyle(good, "answer_only")).toBe(false);
    expect(followsStyle("anything", "plain")).toBe(true);
  });
});

describe("tagShare", () => {
  it("gives a quarter per tag that stands exactly once", () => {
    expect(tagShare("<think>a</think><answer>b</answer>")).toBe(1);
    expect(tagShare("<think>a</think><answer>b")).toBe(0.75);
    expect(tagShare("<answer>b</answer><answer>")).toBe(0.25);
    expect(tagShare("a</think><answer>b</answer>", true)).toBe(1);
    expect(tagShare("")).toBe(0);
    expect(tagShare("<think>a</think><answer> </answer>")).toBe(0.5); // around nothing the tags earn nothing
  });
});

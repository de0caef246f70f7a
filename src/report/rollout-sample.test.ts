import { describe, expect, it } from "vitest";
import { printHtml } from "./html.ts";
import { markedText } from "./marked-text.ts";
import { sampleRollouts } from "./rollout-sample.ts";

/** Steps of three groups with the given rewards for one group of one step; all others have rewards 0 and 1. */
function* lines(steps: number, special: Readonly<Record<string, readonly number[]>> = {}) {
  for (let step = 1; step <= steps; step++) {
    for (let i = 0; i < 3; i++) {
      const id = `${step}/${i}`;
      const rewards = special[id] ?? [0.4, 0.6];
      yield { id, step, example_id: `example-${id}`, completions: rewards.map((reward) => ({ text: "a", reward })) };
    }
  }
}

describe("sampleRollouts", () => {
  it("shows the first, the last and evenly spaced steps between, up to the maximum", () => {
    for (const steps of [1, 2, 7, 100, 3001]) {
      const { chosen, groups } = sampleRollouts(lines(steps), { steps: 9, each: 0 });
      const shown = [...new Set(chosen.map(({ group }) => group.step))];
      expect(groups).toBe(3 * steps);
      expect(shown[0]).toBe(1);
      expect(shown.at(-1)).toBe(steps);
      expect(shown.length).toBeLessThanOrEqual(10);
      expect(shown.length).toBeGreaterThanOrEqual(Math.min(steps, 5));
      const gaps = shown.slice(1, -1).map((step, i) => step - shown[i]!);
      expect(new Set(gaps).size).toBeLessThanOrEqual(1);
    }
  });

  it("finds the best, the worst and the most divided group anywhere, and labels them", () => {
    const special = { "17/1": [3, 3], "51/2": [-2, -2], "83/0": [-5, 7] };
    const { chosen } = sampleRollouts(lines(100, special), { steps: 3, each: 1 });
    const why = Object.fromEntries(chosen.map(({ group, reasons }) => [group.id, reasons]));
    expect(why).toMatchObject({ "17/1": ["best"], "51/2": ["worst"], "83/0": ["divided"] });
  });

  it("skips and counts rows that are not groups, and groups with damaged completions", () => {
    const damaged = [{ step: 1 }, { id: "1/1", step: 1, completions: [{ text: 5, reward: 1 }] }];
    const { chosen, unreadable } = sampleRollouts([...damaged, ...lines(1)], { steps: 3, each: 1 });
    expect(unreadable).toBe(2);
    expect(chosen.every(({ group }) => group.step === 1)).toBe(true);
  });
});

describe("markedText", () => {
  const mark = (
    text: string,
    spans: readonly (readonly [number, number, boolean | "unknown"])[],
    answer?: readonly [number, number],
  ) =>
    printHtml(
      markedText({
        text,
        rewards: {},
        reward: 1,
        advantage: 0,
        parsed_answer: answer === undefined ? null : { text: "", start: answer[0], end: answer[1] },
        evidence: spans.map(([start, end, verdict]) => ({ reward: "facts", label: "claim", start, end, verdict })),
      }),
    );
  const textOf = (markup: string) =>
    markup.replace(/<span class="verdict"[^>]*>.<\/span>/g, "").replace(/<[^>]+>/g, "");

  it("preserves the text, whatever the spans: nested, overlapping, equal, outside, reversed", () => {
    const text = "an opacity on the left";
    const spans = [
      [3, 10, true],
      [5, 14, false],
      [5, 14, "unknown"],
      [18, 99, true],
      [-3, 4, true],
      [9, 2, true],
      [40, 50, false],
    ] as const;
    expect(textOf(mark(text, spans, [18, 22]))).toBe(text);
  });

  it("shows the worst verdict where spans overlap, and the answer", () => {
    const markup = mark(
      "abcdef",
      [
        [0, 4, true],
        [2, 6, false],
      ],
      [4, 6],
    );
    expect(markup).toMatch(/<mark class="v-true"[^>]*>ab<\/mark><mark class="v-false"[^>]*>cd/);
    expect(markup).toContain('<b class="answer"><mark class="v-false"');
  });

  it("escapes the model's text, also between the ends of spans", () => {
    expect(mark("<script>alert(1)</script>", [[1, 7, true]])).not.toMatch(/<script|<\/script/);
  });
});

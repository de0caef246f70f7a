/** Numbers beside an operator whose other side is missing, or which something is to be done with first: none is given. */
import { expect, it } from "vitest";
import { matchAnswer } from "../../src/answers/match.ts";
import { normalise } from "../../src/answers/normalise.ts";
import { numberOf } from "../../src/answers/number.ts";

const parted = (texts: string) => texts.split(" | ");

const unfinished = parted(
  "2√ | 2 √ | √ | √2 | √ 2 | 2√3 | the answer is 2√ | ∛8 | ∛ 8 | 3∛ | sqrt(2) | sqrt 2 | 2 sqrt | the square root of 2 | the cube root of 8 | " +
    "2^ | 2 ^ | 2^{} | 2^ mm | 10^ | 5 × 10^ | 5 x 10^ mm | 5e | 5e+ | 5e- | ^2 | ^ 2 | 2^x | 2^n | 10^x | x^2 | e^2 | 2^- | 2^{n} | " +
    "3/ | 3 / | /3 | / 3 | 3/x | x/3 | 3÷ | 3 ÷ | ÷3 | ÷ 3 | 3 ÷ 4 | 3//4 | 3/? | 3 / ? | 3 of | 3 out of | 3 % of | " +
    "5 × | 5× | × 5 | ×5 | 5 x | 5x | 5 × mm | 5 times | 5 x ? | 5 × x | 5 × ? | " +
    "5 + | 5 + x | 5 + ? | 5 − | 5 - | 5 - x | 5 minus | 5 plus | plus or minus 5 | 5 plus or minus | " +
    "± | ± 5 | ±5 | 5 ± | 5± | 5 +/- | 5 +/- mm | +/- 5 | 5 ± x | 5 ± ? | ~ | 5 ~ | 5~ | 5 to | from 5 | from 5 to | between 5 | between 5 and | 5 or | 5 and | " +
    "5 = | = | 5 ≤ | 5 ≠ | ≠ 5 | ≥ 5 | ≤ 5 | < 5 | 5 ≈ | 2π | π | 2 π | π/2 | 2 pi | ∞ | log 5 | log(5) | ln 5 | ∑ 5 | ∫ 5 | f(5) | sin 5 | " +
    "5 mod | 5 choose 2 | 5 squared | 5 cubed | 5 to the power of | twice 5",
);

const finished: readonly (readonly [text: string, value: number])[] = [
  ...parted(
    "5 | ~5 | ~ 5 | ≈ 5 | about 5 | x = 5 | = 5 | 5! | (5) | 5. | 5; | answer: 5 | 5 mm | 5 (see image) | 5 — at the base | 5 - at the base | **5** | * 5 mm | " +
      "5 /hpf | 5×magnification | 5 x-rays | 5 to be exact | a 5 mm nodule | 5 mm, from the skin | 5% | Grade 5 | 5 mm at a nerve root | 5 or so | 5 and nothing else | " +
      "\\boxed{5} | 5 (x/y) | d = 5 mm | n=5 | 5: because it is | b) 5 mm | (a) 5 | a 5 | 5 in | it is 5 | <b>5</b>",
  ).map((text) => [text, 5] as const),
  ["- 5 mm", -5],
  ["37^{\\circ}", 37],
  ["37^\\circ C", 37],
  ["37 °C", 37],
  ["5×10^3", 5000],
  ["10^3", 1000],
  ["$5 \\times 10^{2}$", 500],
  ["\\frac{3}{4}", 0.75],
];

it("are no number", () => {
  expect(unfinished.length).toBeGreaterThan(100);
  expect(unfinished.filter((text) => numberOf(text) !== null)).toEqual([]);
});

it("leave the numbers that are whole", () => {
  expect(finished.filter(([text, value]) => numberOf(text) !== value)).toEqual([]);
});

it("keep their operator in open answers", () => {
  const open = { answerType: "open", choices: [] } as const;
  const texts = parted("2^ | 2√ | 2/ | 2 × | 2x | 2± | 2~ | 2 = | ∛2 | √2");
  expect(texts.filter((text) => matchAnswer({ ...open, answer: "2" }, text).correct)).toEqual([]);
  expect(texts.filter((text) => !matchAnswer({ ...open, answer: text }, text).correct)).toEqual([]);
  expect(texts.filter((text) => normalise(normalise(text)) !== normalise(text))).toEqual([]);
});

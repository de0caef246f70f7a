import { describe, expect, it } from "vitest";
import { polarity } from "./closed.ts";

describe("polarity with hedges and negations", () => {
  it.each([
    ["A mass is unlikely to be present.", "no"],
    ["Nothing of the kind is present.", "no"],
    ["Neither seen nor present", "no"],
    ["A mass is scarcely present", "no"],
    ["No mass, cyst or stone is present.", "no"],
    ["There is no mass, nor is a stone present.", "no"],
    ["None present", "no"],
    ["Without doubt present", "yes"],
    ["There is no question that a mass is present", "yes"],
    ["Not just present but growing", "yes"],
    ["At present there is no mass", "no"],
    ["Yes, possibly two", "yes"],
    ["A mass is present without edema", "yes"],
    ["It is uncertain whether a mass is present", null],
    ["A mass cannot be excluded", null],
    ["That a mass is present cannot be ruled out", null],
    ["Maybe present", null],
    ["A mass may be present", null],
    ["may not be present", null],
    ["maybe yes", null],
    ["I doubt that it is present", null],
    ["It is not yes", null],
    ["the answer is not no", null],
    ["no idea", null],
    ["No mass, but a cyst is present", null],
    ["No mass, stone present", null],
    ["Not clearly present", null],
    ["yes/no", null],
    ["Is a mass present?", null],
    ["Is a mass present? Yes.", "yes"],
    ["A mass is present in neither lung", "no"],
    ["There may be no mass", null],
    ["I would not say that it is present", null],
    ["cannot be confirmed present", null],
    ["no one knows", null],
  ])("%j says %j", (text, expected) => {
    expect(polarity(text)).toBe(expected);
  });
});

import { describe, expect, it } from "vitest";
import { cpuTime } from "../../test/cpu-time.ts";
import { normalise } from "./normalise.ts";

describe("numbers in normalised texts", () => {
  it.each([
    [".75 mm", "0.75 mm"],
    ["-.75", "-0.75"],
    ["\u22123.1", "-3.1"],
    ["\u20133.1", "-3.1"],
    ["\u20113.1", "-3.1"],
    ["\uff0d3.1", "-3.1"],
    ["\u2013 40 HU", "-40 hu"],
    ["- 40 HU", "-40 hu"],
    ["T-score of \u2212 3", "t score of -3"],
    ["minus two", "-2"],
    ["- 1 nodule\n- 2 cysts", "1 nodule 2 cysts"],
    ["0,75", "0.75"],
    ["12,5 cm", "12.5 cm"],
    ["12,500", "12500"],
    ["1,250,000", "1250000"],
    ["1.250,5", "1250.5"],
    ["1,250.5", "1250.5"],
    ["1\u202f250", "1250"],
    ["1 250", "1250"],
    ["4,5,6", "4 5 6"],
    ["7 x 10^3", "7000"],
    ["7\u00d710\u00b3", "7000"],
    ["7e3", "7000"],
    ["10\u207b\u00b2", "0.01"],
    ["$2.5 \\times 10^{9}$/L", "2500000000 l"],
    ["2^4", "2^4"],
    ["cm\u00b2", "cm2"],
    ["\u00bd", "0.5"],
    ["3\u00bd cm", "3.5 cm"],
    ["3 1/2 cm", "3.5 cm"],
    ["3/4", "0.75"],
    ["2/4", "2/4"],
    ["1/3", "1/3"],
    ["130/85", "130/85"],
    ["1:1000", "1:1000"],
    ["4 to 6 weeks", "4-6 weeks"],
    ["4\u20136 weeks", "4-6 weeks"],
    ["4 x 6 cm", "4x6 cm"],
    ["less than 4 mm", "<4 mm"],
    [">= 4", "\u22654"],
    ["at least 4", "\u22654"],
    ["3+", "3+"],
    ["+1.5", "1.5"],
    ["IL-6", "il 6"],
    ["T1-weighted", "t1 weighted"],
    ["&lt;7 mm", "<7 mm"],
    ["$\\leq 7$", "\u22647"],
    ["\\pm 7", "\u00b17"],
    ["7 or more", "\u22657"],
    ["7 cm and below", "\u22647 cm"],
    ["sixty-three", "63"],
    ["less than sixty-three", "<63"],
    ["two hundred", "200"],
    ["3 million cells", "3000000 cells"],
    ["negative 7", "-7"],
    ["-(7)", "-7"],
    ["\u27967", "-7"],
    ["7 by 9 cm", "7x9 cm"],
    ["7~9", "7-9"],
    ["7 cm \u00d7 9 cm", "7 cm x 9 cm"],
    ["10<sup>4</sup>", "10000"],
    ["10 to the power of 4", "10000"],
    ["mm^2", "mm2"],
    ["$CO_{2}$", "co2"],
    ["CO_2", "co2"],
    ["$\\text{HCO}_3^-$", "hco3-"],
    ["Mg^{2+}", "mg2+"],
    ["$\\text{left}$", "left"],
    ["stage IV", "stage 4"],
    ["fourth", "4th"],
    ["Wilson&#39;s", "wilsons"],
    ["7'500", "7500"],
  ])("%j becomes %j", (text, expected) => {
    expect(normalise(text)).toBe(expected);
    expect(normalise(expected)).toBe(expected);
  });

  it.each([
    ["digits", "1".repeat(200_000)],
    ["groups", "1.000".repeat(60_000)],
    ["commas", "1,".repeat(100_000)],
    ["minuses", "-1".repeat(100_000)],
    ["powers", "10^1 x ".repeat(30_000)],
    ["signs", "a+-".repeat(60_000)],
    ["entities", "&lt;".repeat(50_000)],
    ["struck-out texts", "~~a".repeat(60_000)],
    ["commands", "\\text{".repeat(30_000)],
    ["bounds", "1 or ".repeat(40_000)],
    ["number words", "twenty ".repeat(30_000)],
    ["blanks", "1 ".repeat(100_000)],
  ])("are read in linear time from many %s", (_, text) => {
    const begin = cpuTime();
    normalise(text);
    expect(cpuTime() - begin).toBeLessThan(3000);
  });
});

describe("signs of words", () => {
  it.each([
    ["CD8+ T cells", "cd8+ t cells"],
    ["CD8\u207a", "cd8+"],
    ["CD8\u2212", "cd8-"],
    ["PR-/ER+", "pr- er+"],
    ["PR-ER+", "pr- er+"],
    ["pr- er+", "pr- er+"],
    ["HER2 (+)", "her2+"],
    ["Rh- mother", "rh- mother"],
    ["HER2-negative", "her2 negative"],
    ["T1- and T2-weighted", "t1 and t2 weighted"],
    ["pre- and post-contrast", "pre and post contrast"],
    ["B- left lung", "b left lung"],
    ["Gram -ve rods", "gram negative rods"],
    ["right > left", "right > left"],
    ["<x>left</x>", "x left x"],
    ["<b>left</b>", "left"],
    ["++", "++"],
    ["(-)", "-"],
    ["IFN-\u03b3", "ifn gamma"],
  ])("%j becomes %j", (text, expected) => {
    expect(normalise(text)).toBe(expected);
  });
});

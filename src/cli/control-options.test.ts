import { expect, it } from "vitest";
import { routeDefaults } from "../session/control.ts";
import { controlAsked } from "./control-options.ts";

it("asks for nothing where only a command's other options are given", () => {
  expect(controlAsked({ data: "slake", nearestNeighbour: true } as object)).toEqual({});
});

it("has defaults that options replace", () => {
  const stop = { stop: "confidence", threshold: 0.95, minSentences: 1, score: "avg2" };
  expect(controlAsked({ stop: "confidence" })).toEqual({ stop });
  expect(controlAsked({ stop: "options", stopThreshold: 0.5, stopScore: "min", minSentences: 3 })).toEqual({
    stop: { stop: "options", threshold: 0.5, minSentences: 3, score: "min" },
  });
  expect(controlAsked({ route: "cases" })).toEqual({ route: { index: "cases", options: routeDefaults } });
});

it("refuses options without the one they belong to", () => {
  expect(() => controlAsked({ minSentences: 2 })).toThrow("belong to --stop RULE");
  expect(() => controlAsked({ routeOptions: routeDefaults })).toThrow("belongs to --route INDEX");
});

import { expect, it } from "vitest";
import { routeDefaults } from "../session/control.ts";
import { controlAsked } from "./control-asked.ts";

it("asks for nothing where only a command's other options are given", () => {
  expect(controlAsked({ data: "slake", nearestNeighbour: true } as object)).toEqual({});
});

it("has defaults that options replace", () => {
  const stop = { stop: "confidence", threshold: 0.95, minSentences: 1, score: "avg2" };
  expect(controlAsked({ stop: "confidence" })).toEqual({ stop });
  expect(controlAsked({ stop: "options", stopThreshold: 0.5, stopScore: "min", minSentences: 3 })).toEqual({
    stop: { stop: "options", threshold: 0.5, minSentences: 3, score: "min" },
  });
  const routed = controlAsked({ route: "cases", routeOptions: "k=3, context=0" });
  expect(routed).toEqual({ route: { index: "cases", options: { ...routeDefaults, k: 3, context: 0 } } });
  expect(controlAsked({ route: "cases" })).toEqual({ route: { index: "cases", options: routeDefaults } });
});

it("refuses options without the one they belong to", () => {
  expect(() => controlAsked({ route: "cases", routeOptions: "k=0" })).toThrow(/--route-options k=0: k: .*as in alpha=/);
  expect(() => controlAsked({ route: "cases", routeOptions: "depth=2" })).toThrow("depth");
  expect(() => controlAsked({ minSentences: 2 })).toThrow("belong to --stop RULE");
  expect(() => controlAsked({ routeOptions: "k=3" })).toThrow("belongs to --route INDEX");
});

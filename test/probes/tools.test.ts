/** The options of the probes' tools on the command line. */
import { expect, it } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { prepareTools, probes, readTraining, type ToolServices } from "../../src/evaluate/index.ts";
import type { Probe } from "../../src/evaluate/probes/probe.ts";
import { toolOptions, toolWords } from "../../src/evaluate/probes/tool-options.ts";
import type { Reward } from "../../src/rewards/index.ts";

const judge = { "judge-url": "http://x/v1", "judge-model": "m" };
const reward: Reward = { name: "semantic", score: () => [] };

it("names every option once, with the probe that it is for", () => {
  const options = toolOptions();
  const names = [
    "encoder",
    "untuned",
    "judge-url",
    "judge-model",
    "judge-key-env",
    "judge-max-tokens-field",
    "calibration",
  ];
  expect(Object.keys(options)).toEqual(names);
  expect(options["untuned"]).toEqual({
    flags: "--untuned <checkpoint>",
    about: "for semantic: the model before tuning",
  });
});

it("says of each tool the probes that use it", () => {
  const users = Object.entries<Probe>(probes).flatMap(([name, { tools = {} }]) =>
    Object.values(tools).map(({ what }) => `${what}: ${name}`),
  );
  const said = Object.values(toolWords).flatMap(({ what, probes }) => probes.map((name) => `${what}: ${name}`));
  expect(said.sort()).toEqual(users.sort());
});

it("opens what is configured, and passes each probe its own tools", async () => {
  const asked: unknown[] = [];
  const services: ToolServices = {
    openReward: async (name, options) => {
      asked.push([name, options]);
      return reward;
    },
    openScorer: () => Promise.reject(new Error("not asked for")),
  };
  const tools = await prepareTools(["semantic", "judge"], { ...judge, encoder: "e" })(services);
  expect(tools).toEqual({ semantic: { embedding: reward }, judge: { judge: { reward, calibration: null } } });
  expect(asked).toEqual([
    ["semantic", { scorer: "embedding", encoder: "e", reference: "rationale" }],
    ["semantic", { scorer: "judge", base_url: "http://x/v1", model: "m" }],
  ]);
  expect(await prepareTools(["form"], {})(services)).toEqual({});
});

it.each([
  [{ "judge-url": "http://x/v1" }, "--judge-url and --judge-model belong together: give all or none"],
  [{ "judge-key-env": "KEY" }, "--judge-key-env is for a judge: give --judge-url and --judge-model too"],
  [{ encoder: "e" }, "--encoder is for the probe semantic, which --probe does not include"],
])("refuses %j", (given, message) => {
  expect(() => prepareTools(["judge"], given)).toThrow(new UserError(message));
});

it("only a probe that declares it reads the training split", () => {
  expect([readTraining(["question_only", "form"]), readTraining(["form"])]).toEqual([true, false]);
});

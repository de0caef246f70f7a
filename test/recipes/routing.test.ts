/** studies/routing.yaml trains what bench/routing.ts lets answer together. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadStudy } from "../../src/study/load.ts";
import { root } from "../cli/command-line.ts";

it("an expert for each kind of image, and one on all of them with as many examples of each", () => {
  const { arms, seeds } = loadStudy(join(root, "studies/routing.yaml"), { quick: false });
  const of = (name: string) => arms.find((arm) => arm.name === name)!.recipe;
  const kinds = { film: "x-ray", ct: "ct", mri: "mri" } as const;
  for (const [name, modality] of Object.entries(kinds)) expect(of(name).data.train).toMatchObject({ modality });
  const seen = (name: string) =>
    of(name).stages.reduce((sum, stage) => sum + (stage.kind === "sft" ? stage.steps! * stage.batch_size : 0), 0);
  expect(seen("single")).toBe(seen("film") + seen("ct") + seen("mri"));
  expect(seeds).toEqual([1, 2, 3]);
});

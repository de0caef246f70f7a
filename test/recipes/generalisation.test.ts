/** studies/generalisation.yaml trains on one domain in each row of its matrix, and differs in nothing else. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadStudy } from "../../src/study/load.ts";

const study = loadStudy(join(import.meta.dirname, "../../studies/generalisation.yaml"), { quick: false });

it("has a row for each domain, with and without solved examples", () => {
  const own = study.arms.map(({ name, recipe }) => {
    const { modality, organ, ...data } = recipe.data.train as unknown as Record<string, unknown>;
    const { in_context_examples, ...stage } = recipe.stages[0] as unknown as Record<string, unknown>;
    return {
      name,
      own: [modality, organ, in_context_examples],
      rest: [data, stage, recipe.data.eval, recipe.evaluate],
    };
  });
  expect(Object.fromEntries(own.map(({ name, own }) => [name, own]))).toEqual({
    film: ["x-ray", null, 0],
    chest_ct: ["ct", "chest", 0],
    abdomen_ct: ["ct", "abdomen", 0],
    brain_mr: ["mri", null, 0],
    film_shots: ["x-ray", null, 2],
    chest_ct_shots: ["ct", "chest", 2],
    abdomen_ct_shots: ["ct", "abdomen", 2],
    brain_mr_shots: ["mri", null, 2],
  });
  for (const { rest } of own) expect(rest).toEqual(own[0]!.rest);
  expect(Object.keys(study.generalisation!.trained_on)).toEqual(own.map(({ name }) => name));
});

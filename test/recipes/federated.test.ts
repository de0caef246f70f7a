/** The federation that ships and the study of experts: their arms differ in the data that they are about, and in nothing else. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { candidatesOf } from "../../src/export/choose-merge.ts";
import { loadFederation } from "../../src/federate/load.ts";
import { loadStudy } from "../../src/study/load.ts";

const root = join(import.meta.dirname, "../..");

it("recipes/federated/scanner-sites.yaml has four sites of equal size that train alike", () => {
  const { clients, evaluation } = loadFederation(join(root, "recipes/federated/scanner-sites.yaml"));
  const trained = clients.map(({ recipe }) => ({ ...recipe, name: "", data: null }));
  expect(new Set(trained.map((recipe) => JSON.stringify(recipe))).size).toBe(1);
  const sites = clients.map(({ recipe }) => (recipe.data.train as unknown as { readonly site: number }).site);
  expect(sites.sort()).toEqual([1, 2, 3, 4]);
  expect(evaluation?.data.eval).toMatchObject({ site: "mixed", split: "test" });
});

it("a federation's --set changes keys of the file and of its base", () => {
  const file = join(root, "recipes/federated/scanner-sites.yaml");
  const { mode, clients } = loadFederation(file, ["mode=svd", "base.seed=5", "base.stages.0.batch_size=4"]);
  expect(mode).toBe("svd");
  expect(clients[0]!.recipe).toMatchObject({ seed: 5, stages: [{ batch_size: 4 }] });
});

it("studies/experts.yaml trains its joint arm on as many examples of each kind, for as many steps", () => {
  const { arms } = loadStudy(join(root, "studies/experts.yaml"), { quick: false });
  const [joint, ...experts] = arms.map(({ recipe }) => recipe);
  expect(experts.length).toBe(4);
  for (const { data, stages } of experts) {
    expect(joint!.data.train.limit).toBe(4 * data.train.limit!);
    expect(joint!.stages[0]!.steps).toBe(stages[0]!.steps);
    expect(data.eval).toEqual(joint!.data.eval);
  }
});

it("a search tries the plain mean first, and each setting once", () => {
  const tried = candidatesOf({ methods: ["mean", "ties"], lambdas: [0.5, 1], densities: [0.2] });
  expect(tried[0]).toEqual({ method: "mean", density: null, lambda: 1 });
  expect(new Set(tried.map((one) => JSON.stringify(one))).size).toBe(tried.length);
  expect(tried.length).toBe(4);
});

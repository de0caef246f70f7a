/** The way of reasoning at the test: none, the one that is named, or the one that validation questions prefer. */
import { expect, test } from "vitest";
import type { Example } from "../core/records.ts";
import { type Recipe, recipeSchema } from "../recipes/schema.ts";
import { paradigmAtTest } from "./paradigm-at-test.ts";

const given = (paradigm_at_test: string, paradigms: object | null = { brief: "Be brief.", slow: "Go slowly." }) => ({
  name: "a",
  model: { path: "x" },
  data: { train: { name: "phantom_world", limit: 8 }, eval: { name: "phantom_world" } },
  stages: [{ kind: "grpo", steps: 1, rewards: { accuracy: 1 }, paradigms }],
  evaluate: { paradigm_at_test },
});
const recipe = (...of: Parameters<typeof given>): Recipe => recipeSchema.parse(given(...of));
const never = () => Promise.reject(new Error("asked"));

test("none asks as it is, a name asks in that way, and neither asks validation questions", async () => {
  expect(await paradigmAtTest(recipe("none"), never)).toEqual({ variant: null });
  expect(await paradigmAtTest(recipe("slow"), never)).toEqual({ variant: { name: "slow", instruction: "Go slowly." } });
});

test("the best on validation is the one that does best on questions of that split, of equal ones the first", async () => {
  const seen: (readonly Example[])[] = [];
  const found = await paradigmAtTest(recipe("best_on_validation"), async (examples) => {
    seen.push(examples);
    return examples[0]!.variant!.name === "slow" ? 0.6 : 0.5;
  });
  expect(found).toEqual({
    variant: { name: "slow", instruction: "Go slowly." },
    validation: { brief: 0.5, slow: 0.6 },
  });
  expect(seen.map((examples) => examples.length)).toEqual([104, 104]);
  for (const { meta } of seen.flat()) expect(meta["split"]).toBe("validation");
  expect((await paradigmAtTest(recipe("best_on_validation"), async () => 0.5)).variant!.name).toBe("brief");
});

test.each([
  ["sloow", undefined],
  ["slow", null],
])("%s is refused where no stage has it", (asked, paradigms) => {
  const read = recipeSchema.safeParse(given(asked, paradigms));
  expect(read.error!.issues[0]).toMatchObject({ path: ["evaluate", "paradigm_at_test"] });
});

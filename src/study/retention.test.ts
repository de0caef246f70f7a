import { expect, test } from "vitest";
import type { ScoredItem } from "../evaluate/run-statistics.ts";
import type { Study } from "./load.ts";
import { retentionOf, type SeedEvaluations } from "./retention.ts";

/** Ten old questions (ct) and ten new ones (mri), of which the first so many are right. */
function items(old: number, own: number): readonly ScoredItem[] {
  return ["ct", "mri"].flatMap((modality, k) =>
    Array.from({ length: 10 }, (_, i): ScoredItem => {
      const strict = i < [old, own][k]! ? 1 : 0;
      return {
        ...{ example_id: `${modality}/${i}`, subject_id: `${modality}/${i}`, strict, strata: { modality } },
        ...{ answer_type: "closed", question: "", answer: "", prediction: "" },
      };
    }),
  );
}

const evaluations: Readonly<Record<string, readonly SeedEvaluations[]>> = {
  plain: [1, 2].map((seed) => ({ seed, before: items(8, 4), after: items(4, 9) })),
  spider: [1, 2].map((seed) => ({ seed, before: items(8, 4), after: items(7, 8) })),
  random: [1, 2].map((seed) => ({ seed, before: items(8, 4), after: items(7, 6) })),
};
const arms = [...Object.keys(evaluations), "not_run"].map((name) => ({ name }));
const asked = { stratum: "modality", old: ["ct"], new: ["mri"], control: "random" };
const study = { arms, retention: asked } as unknown as Study;

test("before, after and the change on old and on new questions, and what is left over the control", () => {
  const found = retentionOf(study, (arm) => evaluations[arm] ?? [])!;
  expect(found.arms.map(({ name }) => name)).toEqual(["plain", "spider", "random"]);
  const [plain, spider, random] = found.arms;
  expect(plain!.old).toMatchObject({ before: 0.8, after: 0.4, change: { estimate: -0.4, n: 20, subjects: 10 } });
  expect(plain!.new).toMatchObject({ before: 0.4, after: 0.9, change: { estimate: 0.5 } });
  expect(spider!.old!.change.estimate).toBeCloseTo(-0.1, 12);
  expect(spider!.old!.over_control!.estimate).toBeCloseTo(0, 12);
  expect(spider!.new!.over_control!.estimate).toBeCloseTo(0.2, 12);
  expect(random!.new!.over_control).toBeNull();
});

test("null without such questions, and for a study that does not ask", () => {
  const xray = { ...study, retention: { ...asked, old: ["x-ray"] } };
  expect(retentionOf(xray, (arm) => evaluations[arm] ?? [])!.arms[0]!.old).toBeNull();
  expect(retentionOf({ ...study, retention: null }, () => [])).toBeNull();
});

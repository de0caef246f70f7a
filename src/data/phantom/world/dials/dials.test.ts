import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { randomKey } from "../../../../core/random.ts";
import type { Example } from "../../../../core/records.ts";
import { loadDataset } from "../../../index.ts";
import { questionAt } from "../cells.ts";
import { cells } from "../questions.ts";

const world = (own: Readonly<Record<string, unknown>> = {}, limit = 130) =>
  loadDataset({ name: "phantom_world", split: "test", seed: 6, limit, own });

function hash(examples: readonly Example[]): string {
  const digest = createHash("sha256");
  for (const { images, ...rest } of examples) {
    digest.update(JSON.stringify(rest));
    for (const { path, pixels, original, spacing } of images) {
      digest.update(JSON.stringify([path, spacing ?? null])).update(pixels!.data);
      if (original !== undefined) digest.update(original.data);
    }
  }
  return digest.digest("hex").slice(0, 16);
}

describe("with all dials off", () => {
  // Hashes of questions, answers, rationales, facts and pixels as they were before there was any dial.
  it.each([
    ["phantom_world", 130, "55173e09e69c8f38"],
    ["phantom_reports", 60, "c4a218d53229bddd"],
    ["phantom_lessons", 60, "27a8469507ecb835"],
  ])("%s is what it was", async (name, limit, golden) => {
    expect(hash(await loadDataset({ name, split: "test", seed: 6, limit }))).toBe(golden);
  });
});

describe("a dial", () => {
  it.each([
    [{ question_prior: 0.85 }, "c2a224522815abd1"],
    [{ findings: 6 }, "39b57e1017e13d9b"],
    [{ measured: true }, "82d6bdfd87ea9979"],
    [{ small_nodules: true }, "10388dbcca03878b"],
    [{ high_resolution: true }, "d6e4b32cd082f45b"],
    [{ subgroup: 0.5 }, "373a1441058dbf74"],
    [{ site: "mixed" }, "a7dd475d369136dd"],
    [{ modality: "ct" }, "af4855a5ec0359e0"],
    [{ image_size: 448 }, "df5808c7393fbaa8"],
  ])("%j gives the images it gave", async (own, golden) => {
    expect(hash(await world(own, 26))).toBe(golden);
  });

  it("changes nothing that is another's: the same questions, answers and patients", async () => {
    const plain = await world({}, 40);
    const asked = (examples: readonly Example[]) =>
      examples.map(({ question, answer, subjectId }) => [question, answer, subjectId]);
    for (const own of [
      { measured: true },
      { subgroup: 0.5 },
      { site: "mixed" },
      { small_nodules: true },
      { findings: 4 },
    ]) {
      expect(asked(await world(own, 40))).toEqual(asked(plain));
    }
  });
});

describe("question_prior", () => {
  it("is the share of answers that the question alone predicts, in splits it never saw", () => {
    const asked = (split: string, prior: number | null) => {
      const key = randomKey(2, "phantom_world", split);
      return Array.from({ length: 6500 }, (_, i) => questionAt(cells, key, i, prior)).filter(
        ({ kind }) => !["finding", "location"].includes(kind), // many questions, each too rare to count
      );
    };
    const counts = new Map<string, Map<string, number>>();
    for (const { asked: one } of asked("train", 0.85)) {
      const own = counts.get(one.question) ?? new Map<string, number>();
      counts.set(one.question, own.set(one.answer, (own.get(one.answer) ?? 0) + 1));
    }
    const guess = (question: string) => [...(counts.get(question) ?? [])].sort((a, b) => b[1] - a[1])[0]?.[0];
    const share = (prior: number | null) => {
      const test = asked("test", prior).map((item) => item.asked);
      return test.filter(({ question, answer }) => guess(question) === answer).length / test.length;
    };
    expect(Math.abs(share(0.85) - 0.85)).toBeLessThan(0.03);
    expect(share(null)).toBeLessThan(0.5);
  });
});

describe("findings, sizes and densities", () => {
  type Fact = Readonly<Record<string, number | string>>;
  const facts = (examples: readonly Example[]) => examples.map(({ facts }) => facts!["findings"] as readonly Fact[]);

  it("shows up to six findings, each with side, place, size and density", async () => {
    const many = facts(await world({ findings: 6, measured: true }));
    expect(Math.max(...many.map((found) => found.length))).toBeGreaterThanOrEqual(5);
    expect(Math.min(...many.map((found) => found.length))).toBe(0);
    for (const finding of many.flat()) {
      expect(finding["density"]).toBeGreaterThanOrEqual(0.6);
      expect(finding["density"]).toBeLessThanOrEqual(1);
      if (finding["place"] !== undefined) expect(finding["size_mm"]).toBeGreaterThan(4);
    }
  });

  it("draws nodules of 3 to 6 pixels at 112, which are the original's averaged", async () => {
    const small = await world({ small_nodules: true, high_resolution: true, measured: true }, 80);
    const spacings = small.flatMap(({ images, facts }) =>
      (facts!["findings"] as readonly Fact[])
        .filter(({ finding }) => finding === "nodule")
        .map((nodule) => Number(nodule["size_mm"]) / images[0]!.spacing!),
    );
    expect(spacings.length).toBeGreaterThan(10);
    expect(Math.min(...spacings)).toBeGreaterThan(2.8);
    expect(Math.max(...spacings)).toBeLessThan(6.2);
    const { pixels, original } = small[0]!.images[0]!;
    expect([pixels!.width, original!.width]).toEqual([112, 448]);
    let sum = 0;
    for (let y = 0; y < 4; y++) for (let x = 0; x < 4; x++) sum += original!.data[(200 + y) * 448 + 240 + x]!;
    expect(Math.abs(pixels!.data[50 * 112 + 60]! - sum / 16)).toBeLessThanOrEqual(0.5);
  });
});

describe("subgroup and site", () => {
  it("makes the findings of its share of patients fainter, and leaves the others' images alone", async () => {
    const [plain, mixed] = await Promise.all([world({}, 120), world({ subgroup: 0.4, subgroup_contrast: 0.3 }, 120)]);
    const faint = mixed.filter(({ meta }) => meta["subgroup"] === "faint");
    expect(Math.abs(faint.length / 120 - 0.4)).toBeLessThan(0.12);
    for (const [i, example] of mixed.entries()) {
      const same = Buffer.compare(example.images[0]!.pixels!.data, plain[i]!.images[0]!.pixels!.data) === 0;
      const painted = (example.facts!["findings"] as readonly { place?: string }[]).some(
        ({ place }) => place !== undefined,
      );
      if (example.meta["subgroup"] === "usual") expect(same).toBe(true);
      else if (painted) expect(same).toBe(false);
    }
  });

  it("has four sites whose patients together are those of the mixed set", async () => {
    const mixed = await world({ site: "mixed" }, 40);
    const sites = await Promise.all([1, 2, 3, 4].map((site) => world({ site }, 10)));
    const ids = sites.flat().map(({ id }) => id);
    expect(new Set(ids)).toEqual(new Set(mixed.map(({ id }) => id)));
    expect(sites.map(([first]) => first!.meta["site"])).toEqual(["1", "2", "3", "4"]);
    const sharpness = sites.map((examples) => {
      const values = examples.flatMap(({ images }) => {
        const { data } = images[0]!.pixels!;
        return Array.from({ length: 3000 }, (_, i) => Math.abs(data[4000 + i]! - data[4001 + i]!));
      });
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    });
    expect(sharpness[1]).toBeLessThan(0.6 * sharpness[0]!);
    expect(sharpness[2]).toBeGreaterThan(1.3 * sharpness[0]!);
  });
});

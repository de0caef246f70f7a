import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { normal, randomKey } from "../core/random.ts";
import { BAGS_FILE, type Bag, readBags, writeBag } from "../data/bags.ts";
import { attach } from "../engine/attached.ts";
import { bagEpoch, drawByWeight, featureScale, predictBags, scaledBags, targetScale } from "./bags.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-bags-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Bags of noise in which one vector tells the target. */
function madeBags(count: number): Bag[] {
  return Array.from({ length: count }, (_, b) => {
    const target = b % 5;
    const features = Float32Array.from({ length: 12 * 3 }, (_, i) => 0.3 * normal(randomKey(b, "bag"), i));
    features.set([3, target - 2, 0], 3 * (b % 12));
    return { id: `b${b}`, subjectId: `s${b}`, split: "train", question: "?", target, features, vectors: 12, width: 3 };
  });
}

const adam = { learningRate: 0.02, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0 };

describe("bags", () => {
  it("attention finds the vector that tells, which the mean drowns", async () => {
    const bags = madeBags(60);
    const scale = targetScale(bags.map(({ target }) => target));
    const errorOf = async (pool: "attention" | "mean") => {
      const head = await attach("bag_pool", { width: 3, hidden: 8, pool }, { seed: 1 });
      const o = { bags, weights: bags.map(() => 1), scale, bagSize: 512, batchSize: 10, optimiser: adam, seed: 1 };
      for (let epoch = 0; epoch < 12; epoch++) await bagEpoch(head, { ...o, epoch });
      const found = await predictBags(head, bags, scale);
      await head.close();
      return found.reduce((sum, value, i) => sum + Math.abs(value - bags[i]!.target), 0) / bags.length;
    };
    expect(await errorOf("attention")).toBeLessThan(0.7 * (await errorOf("mean")));
  });

  it("scales features by the training bags' vectors; a number that never varies becomes 0", () => {
    const bag = (...features: number[]): Bag => ({
      ...{ id: "b", subjectId: "s", split: "train", question: "?", target: 0 },
      ...{ features: Float32Array.from(features), vectors: features.length / 2, width: 2 },
    });
    const scale = featureScale([bag(10, 7, 12, 7), bag(14, 7)]);
    expect(scale.mean).toEqual([12, 7]);
    expect(scale.std).toEqual([Math.sqrt(8 / 3), 1]);
    const [other] = scaledBags([bag(12 + 2 * Math.sqrt(8 / 3), 7, 12, 8)], scale);
    expect(Array.from(other!.features)).toEqual([2, 0, 0, 1]);
  });

  it("draws by weight, the same for the same key", () => {
    const draws = drawByWeight(
      Array.from({ length: 4000 }, (_, i) => (i < 2000 ? 0.5 : 1.5)),
      randomKey(3, "draws"),
    );
    expect(draws.filter((at) => at >= 2000).length / 4000).toBeCloseTo(0.75, 1);
    expect(drawByWeight([1, 1, 1], randomKey(3, "draws"))).toEqual(drawByWeight([1, 1, 1], randomKey(3, "draws")));
  });

  it("reads what it wrote, and refuses subjects in two splits and features of other widths", () => {
    writeBag(
      join(folder, "a.safetensors"),
      [Float32Array.of(1, 2), Float32Array.of(3, 4)],
      [
        [0, 0],
        [14, 0],
      ],
    );
    writeBag(join(folder, "b.safetensors"), [Float32Array.of(1, 2, 3)], [[0, 0]]);
    const row = (id: string, more: object) => JSON.stringify({ id, target: 1, file: "a.safetensors", ...more });
    const write = (...rows: string[]) =>
      writeFileSync(join(folder, BAGS_FILE), rows.map((line) => `${line}\n`).join(""));
    write(row("one", { split: "test" }));
    const [bag] = readBags(folder);
    expect(bag).toMatchObject({ id: "one", subjectId: "one", split: "test", vectors: 2, width: 2 });
    expect([...bag!.features]).toEqual([1, 2, 3, 4]);
    write(row("one", {}), row("two", { file: "b.safetensors" }));
    expect(() => readBags(folder)).toThrow('features of 3 numbers, those of "one" have 2');
    write(row("one", { subject_id: "p" }), row("two", { subject_id: "p", split: "test" }));
    expect(() => readBags(folder)).toThrow('subject "p" is in the splits train and test');
  });
});

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Example } from "../../../core/records.ts";
import { loadDataset } from "../../index.ts";
import { MOSAIC_SIDE } from "./mosaics.ts";
import type { PatientTable } from "./table.ts";

const load = (name: string, limit: number, own: Readonly<Record<string, unknown>> = {}, split = "train") =>
  loadDataset({ name, split, seed: 3, limit, own });
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const tableOf = ({ facts }: Example) => facts!["table"] as unknown as PatientTable;
const sizesOf = ({ facts }: Example) =>
  (facts!["findings"] as readonly { finding: string; size_mm?: number }[]).flatMap(({ finding, size_mm }) =>
    /nodule|ring/.test(finding) ? (size_mm ?? []) : [],
  );

function correlation(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [mean(a), mean(b)];
  const [da, db] = [a.map((value) => value - x), b.map((value) => value - y)];
  const product = (one: readonly number[], other: readonly number[]) =>
    one.reduce((sum, v, i) => sum + v * other[i]!, 0);
  return product(da, db) / Math.sqrt(product(da, da) * product(db, db));
}

describe("phantom_patients", async () => {
  const patients = await load("phantom_patients", 600);

  it("has laboratory values that go with the findings as the formulas say", () => {
    const burden = patients.map((one) => Math.min(1, sizesOf(one).reduce((sum, mm) => sum + mm, 0) / 120));
    const with_ = (of: (table: PatientTable) => number) =>
      correlation(
        burden,
        patients.map((one) => of(tableOf(one))),
      );
    expect(with_(({ crp }) => Math.log(crp))).toBeGreaterThan(0.85);
    expect(with_(({ ldh }) => ldh)).toBeGreaterThan(0.85);
    expect(with_(({ albumin }) => albumin)).toBeLessThan(-0.7);
    expect(with_(({ hemoglobin }) => hemoglobin)).toBeLessThan(-0.5);
    expect(with_(({ lymphocytes }) => lymphocytes)).toBeLessThan(-0.6);
    expect(Math.abs(with_(({ age }) => age))).toBeLessThan(0.1);
    expect(Math.abs(mean(patients.map((one) => Number(tableOf(one).sex === "male"))) - 0.5)).toBeLessThan(0.06);
  });

  it("has survival times of which about three in ten are censored, shorter with more and larger lesions", () => {
    const asked = patients.filter(({ meta }) => meta["question_type"] === "survival");
    const censored = asked.filter(({ target }) => target!.event === false);
    expect(Math.abs(censored.length / asked.length - 0.3)).toBeLessThan(0.07);
    const died = asked.filter(({ target }) => target!.event);
    const months = died.map(({ target }) => Math.log(target!.value));
    expect(
      correlation(
        months,
        died.map((one) => sizesOf(one).length),
      ),
    ).toBeLessThan(-0.6);
    for (const { answer, target } of asked) expect(answer).toBe(`${target!.value} months`);
  });

  it("asks for the largest size in mm", () => {
    for (const one of patients.filter(({ meta }) => meta["question_type"] === "size")) {
      expect(one.answerType).toBe("numeric");
      expect(Math.abs(one.target!.value - Math.max(0, ...sizesOf(one)))).toBeLessThanOrEqual(1);
    }
  });

  it("lets the table tell the outcome by the share that the dial gives it, for half of the patients", async () => {
    const shares: number[] = [];
    for (const linear_share of [0, 1]) {
      const own = { ask: "outcome", linear_share };
      const rows = await load("phantom_patients", 400, own);
      expect(Math.abs(mean(rows.map(({ answer }) => Number(answer === "yes"))) - 0.5)).toBeLessThan(0.12);
      // The sum of the table's standardised values against the outcome.
      const score = rows.map(
        (one) => Math.log(tableOf(one).crp) / 0.8 + tableOf(one).ldh / 50 - tableOf(one).albumin / 4,
      );
      shares.push(
        correlation(
          score,
          rows.map(({ answer }) => Number(answer === "yes")),
        ),
      );
    }
    expect(shares[1]! - shares[0]!).toBeGreaterThan(0.06);
  });
});

describe("phantom_mosaics", async () => {
  const mosaics = await load("phantom_mosaics", 400, { image_size: 224, difficulty: 0.2 });

  it("has skewed scores, and shows them in its telling patches alone", () => {
    const scores = mosaics.map(({ target }) => target!.value);
    expect(scores.filter((score) => score === 0).length / scores.length).toBeGreaterThan(0.35);
    expect(scores.filter((score) => score >= 8).length / scores.length).toBeLessThan(0.15);
    expect(Math.max(...scores)).toBe(10);
    for (const { images, facts, target } of mosaics.slice(0, 60)) {
      const { telling } = facts!["patches"] as { telling: readonly number[] };
      expect(telling).toHaveLength(3);
      const { data } = images[0]!.pixels!;
      const dark = Array.from({ length: MOSAIC_SIDE ** 2 }, (_, patch) => {
        const [left, top] = [(patch % MOSAIC_SIDE) * 28, Math.floor(patch / MOSAIC_SIDE) * 28];
        let count = 0;
        for (let y = 2; y < 28; y++)
          for (let x = 2; x < 28; x++) count += Number(data[(top + y) * 224 + left + x]! < 85);
        return count;
      });
      if (target!.value < 3) continue;
      const others = dark.filter((_, patch) => !telling.includes(patch));
      expect(Math.min(...telling.map((patch) => dark[patch]!))).toBeGreaterThan(Math.max(...others));
    }
  });

  it("takes the share of telling patches from its option", async () => {
    const [one] = await load("phantom_mosaics", 1, { informative: 0.5 });
    expect((one!.facts!["patches"] as { telling: readonly number[] }).telling).toHaveLength(32);
  });
});

it("phantom_images are unlabelled and in no other set", async () => {
  const [images, asked] = [await load("phantom_images", 26), await load("phantom_world", 26)];
  expect(images.every(({ question, answer, facts, rationale }) => !question && !answer && !facts && !rationale)).toBe(
    true,
  );
  const pixels = (list: readonly Example[]) => list.map(({ images: [image] }) => hash(image!.pixels!.data));
  expect(new Set([...pixels(images), ...pixels(asked)]).size).toBe(52);
});

it.each([
  ["phantom_patients", "47ba31199d6ff820"],
  ["phantom_mosaics", "0646c3efa61c4e21"],
  ["phantom_images", "edae2edbb9e12c98"],
])("%s matches its pinned hash", async (name, golden) => {
  const rows = (await load(name, 13)).map(({ images, ...rest }) => [
    rest,
    images.map((image) => hash(image.pixels!.data)),
  ]);
  expect(hash(Buffer.from(JSON.stringify(rows)))).toBe(golden);
});

function hash(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex").slice(0, 16);
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { normal, randomKey } from "../core/random.ts";
import { writeSafetensors } from "../io/safetensors.ts";
import { type CaseIndex, openRouter, readCaseIndex, writeCaseIndex } from "./case-index.ts";
import { routeDefaults } from "./route.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-index-"));
afterAll(() => rmSync(folder, { recursive: true }));

const vector = (i: number) => Float32Array.from({ length: 6 }, (_, d) => 5 + normal(randomKey(3, "vector", i), d));
const names = ["ct", "mr", "x-ray"];
const index: CaseIndex = {
  model_sha256: "ab",
  experts: { ct: join(folder, "runs/ct"), mr: join(folder, "runs/mr"), "x-ray": "/elsewhere/x-ray" },
  vectors: Array.from({ length: 8 }, (_, i) => vector(i)),
  cases: Array.from({ length: 24 }, (_, i) => ({
    ...{ id: `q${i}`, subject: `s${Math.floor(i / 3)}`, image: Math.floor(i / 3) },
    ...{ expert: names[Math.floor(i / 3) % 3]!, question: `Where is finding ${i}?`, answer: `left ${i}` },
  })),
};

describe("an index of cases", () => {
  it("is read as it was written, with folders found from its own", () => {
    const path = join(folder, "cases.safetensors");
    writeCaseIndex(path, index);
    expect(readCaseIndex(path)).toEqual(index);
  });

  it("that is none, or holds what does not fit together, is one sentence", () => {
    const path = join(folder, "other.safetensors");
    writeSafetensors(path, []);
    expect(() => readCaseIndex(path)).toThrow("is no index of cases");
    writeCaseIndex(path, { ...index, experts: {} });
    expect(() => readCaseIndex(path)).toThrow('case "q0" names an expert or image it lacks');
    writeCaseIndex(path, { ...index, cases: [] });
    expect(() => readCaseIndex(path)).toThrow("it holds no cases");
    writeCaseIndex(path, { ...index, vectors: index.vectors.map((own) => own.with(1, Number.NaN)) });
    expect(() => readCaseIndex(path)).toThrow(/tensor "images" holds NaN/);
    writeFileSync(path, "no tensors at all");
    expect(() => readCaseIndex(path)).toThrow(path);
    writeSafetensors(path, [], "F32", { viva_case_index: '{"cases": 3}' });
    expect(() => readCaseIndex(path)).toThrow("the index is damaged");
  });

  it("routes every case to its own expert with k = 1", () => {
    const route = openRouter(index, { ...routeDefaults, k: 1 });
    for (const { question, image, expert, id } of index.cases) {
      const { expert: found, cases } = route({ question, image: index.vectors[image]!, subject: null });
      expect(found).toBe(expert);
      expect(cases.map((one) => one.id)).toEqual([id]);
    }
  });

  it("never shows or counts a case of the same subject", () => {
    const route = openRouter(index, { ...routeDefaults, k: 24, context: 24 });
    for (const { question, image, subject } of index.cases) {
      const { cases, nearest } = route({ question, image: index.vectors[image]!, subject });
      expect(cases.map((one) => one.subject)).not.toContain(subject);
      expect(nearest).toHaveLength(21);
    }
  });

  it("compares images without what all have in common, and questions without an image by their words", () => {
    const apart = {
      ...index,
      vectors: [Float32Array.of(100, 101), Float32Array.of(101, 100), Float32Array.of(103, 99)],
    };
    const cases = apart.vectors.map((_, i) => ({ ...index.cases[3 * i]!, image: i, question: "Where?" }));
    const route = openRouter({ ...apart, cases }, { ...routeDefaults, k: 1 });
    const at = (...image: number[]) => route({ question: "Where?", image: Float32Array.from(image), subject: null });
    expect(at(99, 102).cases[0]!.id).toBe("q0");
    expect(at(110, 90).cases[0]!.id).toBe("q6");
    const words = openRouter(index, { ...routeDefaults, k: 1 });
    const none = words({ question: "Where is finding 17?", image: new Float32Array(6), subject: null });
    expect(none.cases[0]!.id).toBe("q17");
  });
});

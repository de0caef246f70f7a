import { describe, expect, it } from "vitest";
import { fold, randomKey } from "../../core/random.ts";
import { BLOCK, type PhantomCase, phantomCase } from "./case.ts";
import { drawFilm, FILM_SIZE } from "./chest.ts";
import { phantom, phantomExample } from "./phantom.ts";

function cases(split: string, count: number): PhantomCase[] {
  const key = randomKey(7, "phantom", split);
  return Array.from({ length: count }, (_, i) => phantomCase(key, i));
}

function shares(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1 / values.length);
  return counts;
}

function mostFrequent(values: readonly string[]): string {
  return [...shares(values)].sort((a, b) => b[1] - a[1])[0]![0];
}

describe("phantom cases", () => {
  const all = cases("train", 5000);

  it("has every answer of a question, and every option letter, equally often", () => {
    const questions = [...new Set(all.map((item) => item.question))];
    expect(questions).toHaveLength(8);
    for (const question of questions) {
      const asked = all.filter((item) => item.question === question);
      const answers = shares(asked.map((item) => item.answer));
      for (const share of answers.values()) expect(Math.abs(share - 1 / answers.size)).toBeLessThan(0.02);
    }
    const placed = all.filter((item) => item.kind === "place");
    const letters = shares(placed.map((item) => String(item.choices.indexOf(item.answer))));
    expect(letters.size).toBe(4);
    for (const share of letters.values()) expect(Math.abs(share - 0.25)).toBeLessThan(0.02);
  });

  it("keeps question-only answers from one split at chance on another", () => {
    const test = cases("test", 5000);
    const answers = new Map(all.map(({ question }) => [question, [] as string[]]));
    for (const { question, answer } of all) answers.get(question)!.push(answer);
    const guesses = new Map(Array.from(answers, ([question, given]) => [question, mostFrequent(given)]));
    for (const kind of ["presence", "side_closed", "zone_closed", "side", "zone", "place"] as const) {
      const asked = test.filter((item) => item.kind === kind);
      const right = asked.filter((item) => guesses.get(item.question) === item.answer);
      expect(Math.abs(right.length / asked.length - (kind === "place" ? 0.25 : 0.5))).toBeLessThan(0.025);
    }
  });

  it("answers what the case shows", () => {
    for (const { kind, opacity, question, answer, choices, rationale } of all.slice(0, 4 * BLOCK)) {
      if (opacity === null) {
        expect([kind, answer, rationale]).toEqual(["presence", "no", "Both lungs are clear. There is no opacity."]);
        continue;
      }
      const { side, zone } = opacity;
      expect(rationale).toBe(`The ${side} lung shows an opacity in its ${zone} zone.`);
      const truth = {
        presence: "yes",
        side_closed: question.includes(` ${side} `) ? "yes" : "no",
        zone_closed: question.includes(` ${zone} `) ? "yes" : "no",
        side,
        zone,
        place: `${side} ${zone} lung`,
      };
      expect(answer).toBe(truth[kind]);
      expect(new Set(choices).size).toBe(kind === "place" ? 4 : 0);
    }
  });
});

describe("phantom films", () => {
  it("shows the opacity only where the facts say, with the patient's right on the image's left", () => {
    for (let index = 0; index < 300; index++) {
      const { facts, images } = phantomExample(5, "train", index);
      const clear = drawFilm(fold(randomKey(5, "phantom", "train"), index), null).data;
      const added = Array.from(images[0]!.pixels!.data, (grey, i) => grey - clear[i]!);
      if (facts!.finding === "none") {
        expect(Math.max(...added)).toBe(0);
        continue;
      }
      const { side, zone, x, y, radius } = facts as Record<"side" | "zone", string> &
        Record<"x" | "y" | "radius", number>;
      expect(side === "right").toBe(x < 0.5);
      expect(zone === "upper").toBe(y < 0.44);
      const distance = added.map((_, i) => Math.hypot((i % FILM_SIZE) / FILM_SIZE - x, i / FILM_SIZE / FILM_SIZE - y));
      const inside = added.filter((_, i) => distance[i]! < radius / 2);
      expect(inside.reduce((sum, grey) => sum + grey, 0) / inside.length).toBeGreaterThan(20);
      expect(Math.max(...added.filter((_, i) => distance[i]! > 2 * radius))).toBe(0);
    }
  });

  it("depends only on seed, split and index", async () => {
    const [first] = await phantom.load({ split: "train", limit: 1, seed: 4 });
    const again = (await phantom.load({ split: "train", limit: 30, seed: 4 }))[0];
    expect(again).toEqual(first);
    const { data } = first!.images[0]!.pixels!;
    for (const other of [phantomExample(4, "test", 0), phantomExample(5, "train", 0), phantomExample(4, "train", 1)]) {
      expect(other.images[0]!.pixels!.data).not.toEqual(data);
      expect(other.subjectId).not.toBe(first!.subjectId);
    }
  });

  it("has default sizes and refuses an unknown split", async () => {
    expect(await phantom.load({ split: "val" })).toHaveLength(480);
    await expect(phantom.load({ split: "dev2" })).rejects.toThrow("the splits are train, validation, test");
  });
});

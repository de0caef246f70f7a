import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { checkClaims, claimText } from "../../../answers/claims/check.ts";
import { readFacts } from "../../../answers/claims/facts.ts";
import { followsFrom } from "../../../answers/conclusion.ts";
import { matchAnswer } from "../../../answers/match.ts";
import { randomKey } from "../../../core/random.ts";
import type { Example } from "../../../core/records.ts";
import { openVocabulary } from "../../../session/reward-services.ts";
import { imagePoint } from "../world/canvas.ts";
import { drawScene, poseOf } from "../world/draw.ts";
import { type DeepKind, deepCase, deepCells, deepExample, phantomDeep } from "./deep.ts";
import { findingsAt, lesionsOf } from "./lesions.ts";
import type { DeepQuestion } from "./question.ts";

const OPTIONS = { difficulty: 0.2, imageSize: 112 };
const KINDS = Object.keys(deepCells) as DeepKind[];
const example = (seed: number, split: string, index: number): Example => deepExample(seed, split, index, OPTIONS)!;

interface Asked {
  readonly kind: DeepKind;
  readonly asked: DeepQuestion;
}

const questions = (split: string, count: number, prior: number | null = null): readonly Asked[] =>
  Array.from({ length: count }, (_, i) => deepCase(7, split, i, null, prior));

/** The most frequent value of each key. */
function majority(pairs: readonly (readonly [key: string, value: string])[]): ReadonlyMap<string, string> {
  const counts = new Map<string, Map<string, number>>();
  for (const [key, value] of pairs) {
    const own = counts.get(key) ?? new Map<string, number>();
    counts.set(key, own.set(value, (own.get(value) ?? 0) + 1));
  }
  return new Map(Array.from(counts, ([key, own]) => [key, [...own].sort((a, b) => b[1] - a[1])[0]![0]]));
}

describe("questions without the image", () => {
  const train = questions("train", 24_000);
  const test = questions("test", 24_000);
  const masked = (text: string) => text.replace(/\d+/g, "#");
  const guesses: Readonly<Record<string, (item: Asked) => string>> = {
    "the question": ({ asked }) => `${asked.question} ${[...asked.choices].sort().join("|")}`,
    "the question without its numbers": ({ asked }) => masked(asked.question),
    "the kind": ({ kind }) => kind,
    "the question's words and the value that it states": ({ asked }) => {
      const [value] = Object.values(asked.stated);
      return `${masked(asked.question)} ${value === undefined ? "" : Math.round(value / 10)}`;
    },
    "the options as shown": ({ kind, asked }) => `${kind} ${asked.choices.join("|")}`,
  };

  it.each(Object.entries(guesses))("the most frequent answer by %s is within 2 points of chance", (_, keyOf) => {
    const known = majority(train.map((item) => [keyOf(item), item.asked.answer]));
    for (const kind of KINDS.filter((name) => name !== "largest_size")) {
      const asked = test.filter((item) => item.kind === kind);
      const right = asked.filter((item) => known.get(keyOf(item)) === item.asked.answer).length / asked.length;
      const chance = asked.reduce((sum, item) => sum + 1 / item.asked.answers.length, 0) / asked.length;
      expect(asked.length).toBe(2000);
      expect(right - chance, `${kind}: ${right} where chance is ${chance}`).toBeLessThan(0.02);
    }
  });

  it("no one size is right for more than a third of the questions for it, whatever the view", () => {
    const sizes = test.filter(({ kind }) => kind === "largest_size").map(({ asked }) => asked);
    for (let mm = 5; mm < 45; mm++) {
      const right = sizes.filter((asked) => matchAnswer(asked, `${mm} mm`).correct).length / sizes.length;
      expect(right).toBeLessThan(1 / 3);
    }
  });

  it("predicts its answers as often as the dial says, and the same ones in every split", () => {
    const [here, there] = ["train", "test"].map((split) => questions(split, 10_000, 0.85)) as [Asked[], Asked[]];
    const known = majority(here.map(({ asked }) => [masked(asked.question), asked.answer]));
    const kinds: readonly DeepKind[] = ["rule_size", "rule_side", "change", "rule_change"];
    for (const kind of kinds) {
      const asked = there.filter((item) => item.kind === kind).map((item) => item.asked);
      const exact = majority(here.map((item) => [item.asked.question, item.asked.answer]));
      const share = asked.filter(({ question, answer }) => exact.get(question) === answer).length / asked.length;
      expect(Math.abs(share - 0.85), `${kind}: ${share}`).toBeLessThan(0.04);
    }
    expect(known.size).toBeGreaterThan(10);
  });
});

describe("reference chains", () => {
  const vocabulary = openVocabulary(null);
  const examples = Array.from({ length: 720 }, (_, i) => example(3, "train", i));

  it("are 3 to 12 statements, all true, that lead to the answer", () => {
    const kinds = new Set<string>();
    for (const one of examples) {
      const { rationale, facts, meta, answer, question } = one;
      const known = readFacts(facts)!;
      const checked = checkClaims(rationale!, known, vocabulary);
      const unproven = checked.filter(({ verdict }) => verdict !== true).map(({ claim }) => claimText(claim));
      expect(unproven, `${question} ${rationale} ${JSON.stringify(known.findings)}`).toEqual([]);
      const statements = rationale!.match(/\.(?: |$)/g)!.length;
      expect(statements, rationale).toBe(Number(meta["chain_length"]));
      expect(statements, rationale).toBeGreaterThanOrEqual(3);
      expect(statements, rationale).toBeLessThanOrEqual(12);
      expect(followsFrom(one, rationale!, answer, vocabulary), rationale).toBe(true);
      expect(matchAnswer(one, answer).correct, `${question} ${answer}`).toBe(true);
      for (const { claim } of checked) kinds.add(claim.earlier ? `earlier ${claim.kind}` : claim.kind);
    }
    for (const kind of ["measure", "value", "change", "earlier measure", "count", "negation"]) {
      expect(kinds).toContain(kind);
    }
  });

  it("are refuted where sizes, sides, values or dates are exchanged", () => {
    const wrong: Readonly<Record<string, (text: string) => string>> = {
      sizes: (text) => text.replace(/(\d+) mm/g, (_, mm: string) => `${Number(mm) * 2} mm`),
      sides: (text) => text.replace(/\b(?:left|right)\b/g, (side) => (side === "left" ? "right" : "left")),
      values: (text) =>
        text.replace(/(The (?:CRP|LDH|age) is) (\d+)/g, (_, said, value) => `${said} ${Number(value) + 7}`),
      growth: (text) => text.replace(/The (.*) in the (.*) has grown/, "The $1 in the $2 has shrunk"),
      stability: (text) => text.replace(/No (.*) is new or has grown/, "The $1 is new"),
    };
    for (const [name, change] of Object.entries(wrong)) {
      const altered = examples.filter(({ rationale }) => change(rationale!) !== rationale);
      const refuted = altered.filter(({ rationale, facts }) => {
        return checkClaims(change(rationale!), readFacts(facts)!, vocabulary).some(({ verdict }) => verdict === false);
      });
      expect(altered.length, name).toBeGreaterThan(20);
      expect(refuted.length / altered.length, name).toBeGreaterThan(0.9);
    }
  });
});

describe("hard negatives", () => {
  const asked = (kind: DeepKind) => questions("train", 12_000).filter((item) => item.kind === kind);
  const largest = ({ now }: DeepQuestion) => Math.max(...now.map(({ mm }) => mm ?? 0));

  it("the value of the table decides: without it a third of the answers are wrong", () => {
    const misled = asked("rule_table").filter(({ asked: one }) => largest(one) >= 19 && largest(one) <= 25);
    expect(misled.length / 1000).toBeGreaterThan(0.25);
  });

  it("a history that the image contradicts has a lesion on the other side or next to it", () => {
    for (const { asked: one } of asked("history")) {
      if (one.answer === "no") expect(one.now.length).toBeGreaterThan(0);
    }
  });

  it("a rule about one lesion often goes against the sum", () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => deepCase(7, "train", i, ["rule_change"]).asked).map((one) => {
      const sum = (placed: typeof one.now) => placed.reduce((total, { mm }) => total + (mm ?? 0), 0);
      return { isYes: one.answer === one.answers[0], grew: sum(one.now) > 1.1 * sum(one.before!) };
    });
    expect(rows.filter(({ isYes, grew }) => isYes && !grew).length / rows.length).toBeGreaterThan(0.1);
  });

  it("the later image alone does not tell progress from regress by much", () => {
    const sums = asked("change").map(({ asked: one }) => ({
      answer: one.answer,
      mean: one.now.reduce((total, { mm }) => total + mm!, 0) / one.now.length,
    }));
    const meanOf = (answer: string) => {
      const own = sums.filter((one) => one.answer === answer).map(({ mean }) => mean);
      return own.reduce((total, value) => total + value, 0) / own.length;
    };
    expect(meanOf("progressed") / meanOf("regressed")).toBeLessThan(1.8);
  });
});

describe("the data set", () => {
  it("shares no patient and no image between splits, at either date", () => {
    const all = ["train", "validation", "test"].map((split) =>
      Array.from({ length: 80 }, (_, i) => example(9, split, i)),
    );
    const hashes = all.flat().flatMap(({ images }) => images.map(({ pixels }) => hash(pixels!.data)));
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(new Set(all.flat().map(({ subjectId }) => subjectId)).size).toBe(240);
    expect(all.flat().filter(({ images }) => images.length === 2).length).toBe(41);
    expect(new Set(all.flat().map(({ id }) => id)).size).toBe(240);
  });

  it.each(["chest_xray", "chest_ct"] as const)("%s: a lesion of 30 mm is 30 mm wide in the image", (name) => {
    const { view, kind } = lesionsOf[name];
    for (const [i, site] of kind.sites.entries()) {
      const key = randomKey(3, "measure", i);
      const findings = findingsAt(view, [{ kind, site, mm: 30 }], poseOf(key, 0.2), key);
      const draw = (shown: typeof findings) => {
        return drawScene({ view, sequence: null, findings: shown }, 112, 0.2, key).data;
      };
      const [without, shown] = [draw([]), draw(findings)];
      const { x, y } = imagePoint(poseOf(key, 0.2), findings[0]!.u, findings[0]!.v);
      const row = Math.floor(y * 112) * 112;
      const added = Array.from({ length: 112 }, (_, column) => Math.abs(shown[row + column]! - without[row + column]!));
      const half = added[Math.floor(x * 112)]! / 2;
      const width = added.filter((grey) => grey > half).length * (view.fieldOfView / 112);
      expect(Math.abs(width - 30), `${site.side} ${site.place}`).toBeLessThan(8);
    }
  });

  it("has a table, a survival time and dates with every patient", () => {
    for (const { facts, meta } of Array.from({ length: 60 }, (_, i) => example(5, "test", i))) {
      const table = facts!["table"] as Record<string, number | string>;
      expect(Object.keys(table).sort()).toEqual(["age", "albumin", "crp", "hemoglobin", "ldh", "lymphocytes", "sex"]);
      expect((facts!["survival"] as Record<string, number>)["months"]).toBeGreaterThan(0);
      const dates = facts!["dates"] as readonly string[];
      expect(dates.at(-1)).toBe(meta["date"]);
      expect([...dates].sort()).toEqual(dates);
    }
  });

  it("depends on seed, split, index and options alone", async () => {
    const own = { difficulty: 0.2 };
    const few = await phantomDeep.load({ split: "test", limit: 3, seed: 4, own });
    const more = await phantomDeep.load({ split: "test", limit: 20, seed: 4, own });
    expect(more.slice(0, 3)).toEqual(few);
    const [rule] = await phantomDeep.load({ limit: 1, own: { kinds: ["rule_count"], modality: "ct" } });
    expect(rule!.meta).toMatchObject({ question_type: "rule_count", modality: "ct" });
    const bad = phantomDeep.load({ limit: 1, own: { kinds: ["rules"] } });
    await expect(bad).rejects.toThrow("kinds.0 must be one of rule_size");
  });

  it("matches its pinned hashes", () => {
    const content = Array.from({ length: 20 }, (_, i) => example(8, "golden", i)).map(({ images, ...rest }) => {
      return [rest, images.map(({ pixels, spacing }) => [hash(pixels!.data), spacing])];
    });
    expect(hash(Buffer.from(JSON.stringify(content)))).toBe("e71e68ca4479228b");
  });
});

function hash(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex").slice(0, 16);
}

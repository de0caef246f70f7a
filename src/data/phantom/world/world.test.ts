import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { UserError } from "../../../core/errors.ts";
import { randomKey } from "../../../core/random.ts";
import { imagePoint } from "./canvas.ts";
import { questionAt } from "./cells.ts";
import { drawScene, poseOf } from "./draw.ts";
import { cells, QUESTION_KINDS, type Question } from "./questions.ts";
import { placeFindings } from "./scene.ts";
import { SEQUENCES, views } from "./views.ts";
import { phantomWorld, worldCase, worldExample } from "./world.ts";

const OPTIONS = { difficulty: 0.4, imageSize: 112 };

/** Prefixes of the SHA-256 of three images of each view; any change of a drawing changes them. */
const golden = {
  chest_xray: ["81c1a4af400c0ab9", "9ef73c3091bd09f1", "33aca21400ac4e28"],
  chest_ct: ["e11e3382f193f106", "afec4ab1fd13873e", "5781a662643acf0f"],
  abdomen_ct: ["f95bff6ae09a0ee7", "42c7924763c331b0", "a833bcb1817b1d42"],
  brain_axial: ["76ba018c44051fc0", "15a35afb5de45c53", "7cd5716a222a3e88"],
  brain_coronal: ["1ac3363ed9480752", "142ad3e2f487c42a", "b26c79b3f94d0987"],
  brain_sagittal: ["047e198d5ec29903", "418c629062d30e1a", "14982b8431cd3015"],
} as const;

interface Asked {
  readonly kind: string;
  readonly asked: Question;
}

function questions(seed: number, split: string, count: number): Asked[] {
  const key = randomKey(seed, "phantom_world", split);
  return Array.from({ length: count }, (_, i) => questionAt(cells, key, i));
}

/** The most frequent value of each key, by counts. */
function majority(pairs: readonly (readonly [key: string, value: string])[]): Map<string, string> {
  const counts = new Map<string, Map<string, number>>();
  for (const [key, value] of pairs) {
    const own = counts.get(key) ?? new Map<string, number>();
    counts.set(key, own.set(value, (own.get(value) ?? 0) + 1));
  }
  return new Map(Array.from(counts, ([key, own]) => [key, [...own].sort((a, b) => b[1] - a[1])[0]![0]]));
}

describe("questions without the image", () => {
  const train = questions(7, "train", 20_000);
  const test = questions(7, "test", 20_000);
  const letter = ({ asked }: Asked) => String(asked.choices.indexOf(asked.answer));
  const guesses: Readonly<Record<string, (item: Asked) => readonly [string, string]>> = {
    "the most frequent answer of the question": (item) => [item.asked.question, item.asked.answer],
    "the most frequent answer of the question with these options": ({ asked }) => [
      `${asked.question} ${[...asked.choices].sort().join("|")}`,
      asked.answer,
    ],
    "the most frequent answer of the kind": ({ kind, asked }) => [kind, asked.answer],
    "the most frequent letter": (item) => [item.kind, item.asked.choices.length > 0 ? letter(item) : item.asked.answer],
  };

  it.each(Object.entries(guesses))("%s is within 2 points of chance for every kind", (_, keyOf) => {
    const known = majority(train.map(keyOf));
    for (const kind of QUESTION_KINDS) {
      const asked = test.filter((item) => item.kind === kind);
      const right = asked.filter((item) => known.get(keyOf(item)[0]) === keyOf(item)[1]).length / asked.length;
      const chance = asked.reduce((sum, { asked: { answers } }) => sum + 1 / answers.length, 0) / asked.length;
      expect(asked.length).toBeGreaterThan(1500);
      expect(right - chance, `${kind}: ${right} where chance is ${chance}`).toBeLessThan(0.02);
    }
  });

  it("the correct option cannot be recognised by its words", () => {
    // Each option text is correct as often as expected from being shown among four.
    const shown = new Map<string, number>();
    const right = new Map<string, number>();
    for (const { asked } of [...train, ...test]) {
      for (const text of asked.choices) shown.set(text, (shown.get(text) ?? 0) + 1);
      if (asked.choices.length > 0) right.set(asked.answer, (right.get(asked.answer) ?? 0) + 1);
    }
    expect(shown.size).toBeGreaterThan(25);
    for (const [text, count] of shown) expect(Math.abs(right.get(text)! / count - 0.25), text).toBeLessThan(0.02);
  });
});

describe("what the image shows", () => {
  const cases = Array.from({ length: 5200 }, (_, i) => worldCase(3, "train", i, (i % 11) / 10));

  it("is what the answer says", () => {
    for (const { kind, asked, scene } of cases) {
      const { answer, about, question } = asked;
      const same = scene.findings.filter((finding) => finding.kind.name === about);
      const text = `${question} ${answer}: ${JSON.stringify(scene.findings)}`;
      if (kind === "modality") expect(scene.view.modality, text).toBe(answer);
      if (kind === "plane") expect(scene.view.plane, text).toBe(answer);
      if (kind === "organ") expect(scene.view.organ, text).toBe(answer);
      if (kind === "sequence") expect(scene.sequence, text).toBe(answer);
      if (kind === "presence") expect(same.length > 0, text).toBe(answer === "yes");
      if (kind === "count") expect(same.length, text).toBe(Number(answer));
      if (kind === "side")
        expect(
          same.map(({ site }) => site.side),
          text,
        ).toEqual([answer]);
      if (kind === "side_closed") expect(question.includes(` ${same[0]!.site.side}?`), text).toBe(answer === "yes");
      if (kind === "location_closed") {
        expect(question.includes(same[0]!.site.place!), text).toBe(answer === "yes");
      }
      if (kind === "location") {
        const { side, place } = same[0]!.site;
        expect(same, text).toHaveLength(1);
        expect(answer.startsWith(`${side ?? ""} ${place}`.trim()), text).toBe(true);
      }
      if (kind === "finding" || kind === "finding_open") {
        const names = scene.findings.map((finding) => finding.kind.name);
        expect(names, text).toEqual(answer === "no abnormality" ? [] : [answer]);
      }
      if (kind === "size_comparison") {
        const [first, second] = [...same].sort((one, other) => other.radius - one.radius);
        expect(first!.radius / second!.radius, text).toBeGreaterThan(1.15);
        const asks = question.includes(`on the ${first!.site.side}`);
        expect(answer, text).toBe(question.startsWith("Is") ? (asks ? "yes" : "no") : first!.site.side);
      }
    }
  });

  it("keeps findings separate, and shows hard negatives", () => {
    for (const { scene } of cases) {
      const taken = scene.findings.flatMap(({ site }) => site.takes);
      expect(new Set(taken).size).toBe(taken.length);
    }
    const absent = cases.filter(({ kind, asked }) => kind === "presence" && asked.answer === "no");
    const resembling = absent.filter(({ asked, scene }) =>
      scene.findings.some(({ kind }) => kind.resembles.includes(asked.about!)),
    );
    expect(resembling.length / absent.length).toBeGreaterThan(0.3);
  });

  it.each(Object.values(views).flatMap((view) => view.findings.map((kind) => [view.name, kind.name] as const)))(
    "%s: %s changes the image where its facts say, on its side",
    (name, finding) => {
      const view = views[name];
      const kind = view.findings.find((one) => one.name === finding)!;
      for (let i = 0; i < 12; i++) {
        const key = randomKey(4, name, finding, i);
        const sequence = view.modality === "mri" ? SEQUENCES[i % 3]! : null;
        const findings = placeFindings(view, [{ kind }], [], 0.3, key);
        const { u, v, radius, site } = findings[0]!;
        const without = drawScene({ view, sequence, findings: [] }, 112, 0.3, key).data;
        const added = Array.from(drawScene({ view, sequence, findings }, 112, 0.3, key).data, (grey, at) =>
          Math.abs(grey - without[at]!),
        );
        if (site.place === null || ["hydrocephalus", "ascites"].includes(finding)) {
          expect(added.reduce((sum, grey) => sum + grey, 0)).toBeGreaterThan(2000);
          continue;
        }
        const { x, y } = imagePoint(poseOf(key, 0.3), u, v);
        if (site.side !== null) expect(x < 0.5).toBe(site.side === "right");
        const away = (at: number) => Math.hypot(((at % 112) + 0.5) / 112 - x, (Math.floor(at / 112) + 0.5) / 112 - y);
        const mean = (keep: (at: number) => boolean) => {
          const kept = added.filter((_, at) => keep(at));
          return kept.reduce((sum, grey) => sum + grey, 0) / kept.length;
        };
        const near = mean((at) => away(at) < Math.max(0.02, radius * 0.4));
        expect(near).toBeGreaterThan(8);
        expect(near).toBeGreaterThan(4 * mean((at) => away(at) > radius * 1.2 + 0.06));
      }
    },
  );
});

describe("the data set", () => {
  it("depends only on seed, split, index and options, and shares no image between splits", async () => {
    const few = await phantomWorld.load({ split: "train", limit: 3, seed: 9 });
    const more = await phantomWorld.load({ split: "train", limit: 40, seed: 9 });
    expect(more.slice(0, 3)).toEqual(few);
    const hash = (split: string, i: number) => {
      const { images } = worldExample(9, split, i, OPTIONS);
      return createHash("sha256").update(images[0]!.pixels!.data).digest("hex");
    };
    const hashes = ["train", "validation", "test"].flatMap((split) =>
      Array.from({ length: 150 }, (_, i) => hash(split, i)),
    );
    expect(new Set(hashes).size).toBe(450);
    const subjects = ["train", "test"].flatMap((split) =>
      [0, 1].map((i) => worldExample(9, split, i, OPTIONS).subjectId),
    );
    expect(new Set(subjects).size).toBe(4);
  });

  it.each(Object.keys(golden) as (keyof typeof golden)[])("%s: pixels match their pinned hashes", (name) => {
    const view = views[name];
    const hashes = [0, 1, 2].map((i) => {
      const key = randomKey(8, "golden", name, i);
      const kind = view.findings[i];
      const sequence = view.modality === "mri" ? SEQUENCES[i]! : null;
      const findings = kind === undefined ? [] : placeFindings(view, [{ kind }], [], 0.5, key);
      const { data } = drawScene({ view, sequence, findings }, 112, 0.5, key);
      return createHash("sha256").update(data).digest("hex").slice(0, 16);
    });
    expect(hashes).toEqual(golden[name]);
  });

  it("draws both sizes of the same scene", () => {
    for (let i = 0; i < 13; i++) {
      const [small, large] = [112, 224].map((imageSize) => worldExample(2, "test", i, { difficulty: 0.4, imageSize }));
      expect([large!.question, large!.answer, large!.facts]).toEqual([small!.question, small!.answer, small!.facts]);
      expect(large!.images[0]!.pixels!.data).toHaveLength(224 * 224);
    }
  });

  it.each([
    [{ limit: 1e9 }, "limit must be at most 100000, for all are generated"],
    [{ split: "dev2" }, 'no split "dev2"; the splits are train, validation, test'],
    [{ own: { difficulty: 1.5 } }, "difficulty must be a number of at least 0 and at most 1, got 1.5"],
    [{ own: { image_size: 128 } }, "image_size must be 112, 224 or 448, got 128"],
    [{ own: { size: 128 } }, 'unknown option "size"'],
  ])("refuses %j", async (options, message) => {
    const failure = await phantomWorld.load({ limit: 1, ...options }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as Error).message).toContain(message);
  });
});

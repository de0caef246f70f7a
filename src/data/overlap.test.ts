import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Example } from "../core/records.ts";
import { describeOverlap, isSeen, overlapOf } from "./overlap.ts";

const example = (subjectId: string, path: string): Example => ({
  ...{ id: `${subjectId} ${path}`, subjectId, question: "?", images: [{ path }], answer: "yes", answerType: "closed" },
  ...{ choices: [], meta: {} },
});

it("compares subjects and image files", () => {
  const train = [example("p1", "/a/1.png"), example("p2", "/a/2.png")];
  const test = [
    example("p1", "/a/7.png"),
    example("p3", "/a/2.png"),
    example("p1", "/a/8.png"),
    example("p4", "/a/9.png"),
  ];
  const overlap = overlapOf(train, test);
  expect(overlap).toEqual({ subjects: 2, questions: 3, of: 4, first: ["p1", "p3"] });
  expect(describeOverlap(overlap!)).toBe("2 subjects (p1, p3), which 3 of 4 questions are about");
  expect(test.map(isSeen(train))).toEqual([true, true, true, false]);
  expect(overlapOf(train, [test[3]!])).toBeNull();
});

it("knows that an image as written is another file in another folder", () => {
  const written = "images/1.png";
  expect(overlapOf([example(written, "/a/images/1.png")], [example(written, "/b/images/1.png")])).toBeNull();
  expect(overlapOf([example(`./${written}`, "/a/images/1.png")], [example(written, "/a/images/1.png")])).not.toBeNull();
});

it("knows a link to an image as that image", () => {
  const folder = mkdtempSync(join(tmpdir(), "viva-overlap-"));
  const [film, link, other] = ["film.png", "link.png", "other.png"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [film, other]) writeFileSync(path, "");
  symlinkSync(film, link);
  expect(overlapOf([example("p1", film)], [example("p2", link)])?.questions).toBe(1);
  expect(overlapOf([example("p1", film)], [example("p2", other)])).toBeNull();
  rmSync(folder, { recursive: true });
});

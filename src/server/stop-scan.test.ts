import { describe, expect, test } from "vitest";
import { integer, randomKey } from "../core/random.ts";
import { openStopScan } from "./stop-scan.ts";

/** What comes out when text goes in piece by piece. */
function scan(stops: readonly string[], pieces: readonly string[]) {
  const own = openStopScan(stops);
  const given: string[] = [];
  for (const piece of pieces) {
    const { text, stopped } = own.push(piece);
    given.push(text);
    if (stopped) return { given, stopped };
  }
  given.push(own.end());
  return { given, stopped: false };
}

describe("the stop scan", () => {
  test.each([
    ["across pieces", ["END"], ["one E", "N", "D two"], ["one ", "", ""], true],
    ["a beginning that goes on otherwise", ["END"], ["one E", "N", "A two"], ["one ", "", "ENA two", ""], false],
    ["a beginning at the very end", ["END"], ["one", " EN"], ["one", " ", "EN"], false],
    ["the first of several", ["b", "a"], ["xxayyb"], ["xx"], true],
    ["within a piece", ["\n\n"], ["yes\n", "\nno"], ["yes", ""], true],
    ["one that overlaps itself", ["aab"], ["a", "a", "a", "b"], ["", "", "a", ""], true],
    ["none", [], ["one", "two"], ["one", "two", ""], false],
  ])("%s", (_, stops, pieces, given, stopped) => {
    expect(scan(stops, pieces)).toEqual({ given, stopped });
  });

  test("however the text is cut, it ends before the first stop string", () => {
    for (let i = 0; i < 500; i++) {
      const key = randomKey(i, "stops");
      const letters = (at: number, length: number) =>
        Array.from({ length }, (_, k) => "ab"[integer(key, at + k, 2)]!).join("");
      const text = letters(0, 30);
      const stops = [letters(100, 2 + (i % 5)), letters(200, 3 + (i % 4))];
      // The shortest beginning of the text that ends in a stop string, without the longest that it ends in.
      const ends = Array.from({ length: 31 }, (_, k) => k).filter((k) =>
        stops.some((stop) => text.slice(0, k).endsWith(stop)),
      );
      const whole = text.slice(0, ends[0]);
      const cut = Math.max(0, ...stops.map((stop) => (whole.endsWith(stop) ? stop.length : 0)));
      for (const size of [1, 2, 7, 30]) {
        const pieces = Array.from({ length: Math.ceil(30 / size) }, (_, k) => text.slice(size * k, size * k + size));
        const { given, stopped } = scan(stops, pieces);
        expect(given.join("")).toBe(ends.length > 0 ? whole.slice(0, whole.length - cut) : text);
        expect(stopped).toBe(ends.length > 0);
      }
    }
  });
});

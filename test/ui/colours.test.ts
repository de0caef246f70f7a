/** Series of charts are told apart by readers who lack a kind of cone, on either ground, in pages and reports alike. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const styles = ["ui/style.css", "src/report/style.ts"].map((file) => readFileSync(join(root, file), "utf8"));

type Triple = readonly [number, number, number];

/** Linear RGB as seen without a kind of cone: Machado, Oliveira and Fernandes 2009, severity 1. */
const seen: Readonly<Record<string, readonly Triple[]>> = {
  "all cones": [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function linear(hex: string): Triple {
  const part = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [part(1), part(3), part(5)];
}

const dot = (a: Triple, b: Triple) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

/** CIE 1976 L*a*b* under D65. */
function lab(rgb: Triple): Triple {
  const bounded = rgb.map((value) => Math.min(1, Math.max(0, value))) as unknown as Triple;
  const root = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = root(dot(bounded, [0.4124, 0.3576, 0.1805]) / 0.9505);
  const y = root(dot(bounded, [0.2126, 0.7152, 0.0722]));
  const z = root(dot(bounded, [0.0193, 0.1192, 0.9505]) / 1.089);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function contrast(a: string, b: string): number {
  const luminance = (hex: string) => dot(linear(hex), [0.2126, 0.7152, 0.0722]) + 0.05;
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return high / low;
}

/** The custom properties of a theme, by name. */
function themeIn(style: string, scheme: "light" | "dark"): ReadonlyMap<string, string> {
  const before = style.slice(0, new RegExp(`color-scheme:\\s*${scheme}`).exec(style)!.index);
  return new Map(
    [...before.matchAll(/--([a-z-]+\d?):\s*(#[0-9a-f]{6}|#fff)\b/g)].map(([, name, hex]) => {
      return [name!, hex === "#fff" ? "#ffffff" : hex!];
    }),
  );
}

describe.each(["light", "dark"] as const)("series on the %s ground", (scheme) => {
  const [pages, report] = styles.map((style) => themeIn(style, scheme));
  const series = Array.from({ length: 8 }, (_, i) => pages!.get(`c${i}`)!);

  it("are the same in pages and reports", () => {
    expect(series).toEqual(Array.from({ length: 8 }, (_, i) => report!.get(`c${i}`)));
  });

  it("stand out from their ground", () => {
    for (const colour of series) expect(contrast(colour, pages!.get("surface")!), colour).toBeGreaterThan(3);
  });

  it.each(Object.entries(seen))("are apart with %s", (_, matrix) => {
    const places = series.map((hex) => lab(matrix.map((row) => dot(row, linear(hex))) as unknown as Triple));
    for (const [i, a] of places.entries()) {
      for (const [j, b] of places.slice(0, i).entries()) {
        expect(Math.hypot(...a.map((value, k) => value - b[k]!)), `${series[i]} and ${series[j]}`).toBeGreaterThan(13);
      }
    }
  });
});

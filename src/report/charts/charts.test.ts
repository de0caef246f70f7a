import { describe, expect, it } from "vitest";
import { shareBar, signedBar } from "./bars.ts";
import { forestPlot } from "./forest-plot.ts";
import { lineChart } from "./line-chart.ts";
import { at, niceDomain, niceTicks } from "./scale.ts";
import { runningMean, thin } from "./series.ts";

const interval = (estimate: number, low: number, high: number) => ({ estimate, low, high, n: 10, subjects: 5 });

describe("axes", () => {
  it.each([
    [[0, 1], 4, [0, 0.5, 1]],
    [[0, 0.8], 4, [0, 0.2, 0.4, 0.6, 0.8]],
    [[-20, 80], 6, [-20, 0, 20, 40, 60, 80]],
    [[1, 150], 5, [50, 100, 150]],
    [[0.1, 0.4], 4, [0.1, 0.2, 0.3, 0.4]],
  ] as const)("have round ticks: %j", ([low, high], count, ticks) => {
    expect(niceTicks([low, high], count)).toEqual(ticks);
  });

  it("have only integer ticks for integer values", () => {
    expect(niceTicks([1, 2], 5, true)).toEqual([1, 2]);
  });

  it("end at round numbers around the values, ignore NaN, and leave room around a single value", () => {
    expect(niceDomain([0.13, 0.77, Number.NaN, Number.POSITIVE_INFINITY], 4)).toEqual([0, 0.8]);
    expect(niceDomain([], 4)).toEqual([0, 1]);
    const [low, high] = niceDomain([5], 4);
    expect(low).toBeLessThan(5);
    expect(high).toBeGreaterThan(5);
    expect(niceDomain([0, 0], 4)[1]).toBeGreaterThan(0);
  });

  it("map the ends of the domain onto the ends of the range", () => {
    const scale = { domain: [2, 4], range: [100, 0] } as const;
    expect([2, 3, 4].map((value) => at(scale, value))).toEqual([100, 50, 0]);
  });
});

describe("series", () => {
  const line = Array.from({ length: 1000 }, (_, x) => ({ x, y: x % 2 }));

  it("are downsampled to means of neighbours, with every value counted once", () => {
    const few = thin([...line, { x: 1000, y: Number.NaN }], 100);
    expect(few).toHaveLength(100);
    expect(few[0]).toEqual({ x: 4.5, y: 0.5 });
    expect(thin(line.slice(0, 7), 100)).toEqual(line.slice(0, 7));
  });

  it("have a running mean that preserves straight lines, including their ends", () => {
    const straight = line.map(({ x }) => ({ x, y: 3 * x }));
    expect(runningMean(straight, 9)).toEqual(straight);
    expect(runningMean(line.slice(0, 5), 3).map(({ y }) => y)).toEqual([0, 1 / 3, 2 / 3, 1 / 3, 0]);
  });
});

describe("a line chart", () => {
  const chart = {
    title: "Reward",
    lines: [
      {
        name: "<b>run</b>",
        colour: 1,
        points: [
          { x: 1, y: 0 },
          { x: 11, y: 1 },
        ],
        band: [{ x: 1, low: -0.5, high: 0.5 }],
        dots: true,
      },
    ],
    levels: [{ name: "guessing", y: 0.5 }],
    marks: [
      { x: 6, label: "grpo" },
      { x: 40, label: "beyond" },
    ],
  };

  it("draws points where the axes put them, bands, levels and the marks within its steps", () => {
    const svg = String(lineChart(chart));
    const [from, to] = /<polyline class="line" points="([^"]+)"/
      .exec(svg)![1]!
      .split(" ")
      .map((p) => p.split(",").map(Number));
    expect(from![0]).toBeLessThan(to![0]!);
    expect(from![1]).toBeGreaterThan(to![1]!);
    expect(svg).toContain('class="band"');
    expect(svg).toContain("guessing");
    expect(svg).toContain("grpo");
    expect(svg).not.toContain("beyond");
  });

  it("says its first and last values to those who cannot see it, and escapes names", () => {
    const svg = String(lineChart(chart));
    expect(svg).toContain("Line chart: Reward. &lt;b&gt;run&lt;/b&gt;: 0 at step 1, 1 at step 11. guessing: 0.5");
    expect(svg).not.toContain("<b>run");
  });

  it("puts the name of a level below it where the names of marks stand, and no name over another", () => {
    const y = (svg: string, kind: string) => Number(new RegExp(`class="${kind}"[^>]* y="([\\d.]+)"`).exec(svg)![1]);
    const high = String(lineChart({ ...chart, levels: [{ name: "guessing", y: 1 }], bounds: [0, 1] }));
    expect(y(high, "level-label")).toBeGreaterThan(y(high, "mark-label") + 10);
    const marks = [
      { x: 5, label: "\u26a0", alarm: true },
      { x: 5, label: "grpo" },
      { x: 5.1, label: "dapo" },
      { x: 9, label: "sft" },
    ];
    const svg = String(lineChart({ ...chart, marks }));
    expect([...svg.matchAll(/class="mark-label"[^>]*>([^<]*)</g)].map(([, name]) => name)).toEqual(["grpo", "sft"]);
    expect(svg.match(/class="mark( alarm)?"/g)).toHaveLength(4);
  });

  it("is none without points, and shows a single point", () => {
    expect(lineChart({ title: "", lines: [{ name: "", colour: 0, points: [] }] })).toBeNull();
    const single = String(lineChart({ title: "", lines: [{ name: "", colour: 0, points: [{ x: 5, y: 5 }] }] }));
    expect(single).toContain("<circle");
    expect(single).not.toMatch(/NaN|Infinity/);
  });
});

describe("a forest plot", () => {
  const rows = [
    { label: "dr_grpo", interval: interval(0.05, 0.01, 0.09), main: true },
    { label: "sft", interval: interval(-0.1, -0.2, -0.05) },
    { label: "grpo", interval: interval(0.01, -0.02, 0.04) },
  ];

  it("marks only intervals that exclude 0, and names estimates with their intervals", () => {
    const svg = String(forestPlot({ title: "arms", rows }));
    expect([...svg.matchAll(/class="row (\w+)"/g)].map(([, verdict]) => verdict)).toEqual(["better", "worse", "open"]);
    expect(svg).toContain("dr_grpo: +5.0 [+1.0, +9.0] points");
    expect(svg).toContain("sft: −10.0 [−20.0, −5.0] points");
  });

  it("always shows the line of no effect, also where every interval lies to one side", () => {
    const svg = String(forestPlot({ title: "arms", rows: rows.slice(0, 1) }));
    const x = Number(/class="zero" d="M([\d.]+) /.exec(svg)![1]);
    expect(x).toBeGreaterThanOrEqual(12);
    expect(x).toBeLessThan(388);
  });

  it("draws no line of the axis through a row's name", () => {
    const svg = String(forestPlot({ title: "arms", rows }));
    const names = [...svg.matchAll(/class="row-label" x="[\d.]+" y="([\d.]+)"/g)].map(([, y]) => Number(y));
    const parts = [...svg.matchAll(/M[\d.]+ ([\d.]+)v([\d.]+)/g)].map(([, y, v]) => [Number(y), Number(y) + Number(v)]);
    expect(names).toHaveLength(3);
    expect(parts.length).toBeGreaterThan(6);
    for (const base of names) {
      for (const [from, to] of parts) expect(to! <= base - 12 || from! >= base).toBe(true);
    }
  });

  it("keeps the figures right of the axis, where neither the line of no effect nor an interval reaches", () => {
    const near = [{ label: "dr_grpo", interval: interval(-0.105, -0.151, 0.012) }];
    const svg = String(forestPlot({ title: "arms", rows: near }));
    const lines = [...svg.matchAll(/x[12]="([\d.]+)"/g)].map(([, x]) => Number(x));
    const [, end, text] = /class="row-value" x="([\d.]+)"[^>]*>([^<]*)</.exec(svg)!;
    expect(Math.max(...lines)).toBeLessThan(Number(end) - text!.length * 6.5);
  });

  it("is null without rows", () => {
    expect(forestPlot({ title: "", rows: [] })).toBeNull();
  });
});

describe("bars", () => {
  it("reach as far as the share, and to the side of the sign", () => {
    expect(String(shareBar(interval(0.25, 0.2, 0.3), 0))).toContain('class="fill" width="25"');
    expect(String(signedBar(-1, 2))).toContain('class="negative" x="25" width="25"');
    expect(String(signedBar(2, 2))).toContain('class="positive" x="50" width="50"');
    expect(String(signedBar(0, 0))).not.toContain("NaN");
    expect(String(signedBar(Number.NaN, 1))).not.toContain("NaN");
  });
});

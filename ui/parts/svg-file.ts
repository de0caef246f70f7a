/** Charts of the pages as SVG files that stand alone: the drawings of reports, in light colours. */
import { type ForestPlot, forestPlot } from "../../src/report/charts/forest-plot.ts";
import { lineChart } from "../../src/report/charts/line-chart.ts";
import { html, printHtml, raw } from "../../src/report/html.ts";
import { drawingStyle } from "../../src/report/style.ts";
import type { Series } from "./chart.tsx";
import { save } from "./ways.tsx";

/** With intervals as bands, and the names below. */
export function saveChart(title: string, steps: readonly number[], series: readonly Series[]): void {
  const lines = series.map(({ name, values, low, high }, colour) => {
    const points = steps.flatMap((x, i) => (values[i] == null ? [] : [{ x, y: values[i]!, low: low?.[i], high: high?.[i] }]));
    const band = points.flatMap(({ x, low, high }) => (low == null || high == null ? [] : [{ x, low, high }]));
    return { name, colour, points, ...(band.length === 0 ? {} : { band }) };
  });
  saveDrawing(
    title,
    lineChart({ title, lines }),
    series.map(({ name }) => name),
  );
}

export function saveForest(plot: ForestPlot): void {
  saveDrawing(plot.title, forestPlot(plot));
}

/** The drawing below its title, above its legend. */
function saveDrawing(title: string, drawing: ReturnType<typeof lineChart>, names: readonly string[] = []): void {
  const inner = drawing === null ? "" : printHtml(drawing);
  const [, width = 400, height = 0] = /viewBox="0 0 (\d+) (\d+)"/.exec(inner)?.map(Number) ?? [];
  const legend = names.map((name, i) => {
    const y = 24 + height + 16 * (i + 1);
    return html`<g class="s${i % 8}"><line class="line" x1="46" x2="74" y1="${y - 4}" y2="${y - 4}"/><text x="82" y="${y}">${name}</text></g>`;
  });
  const all = height + 40 + 16 * names.length;
  const file = html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${all}"><style>${raw(drawingStyle)}</style><g class="chart"><text class="row-label" x="8" y="16">${title}</text>${legend}</g><svg y="24" width="${width}" height="${height}">${raw(inner)}</svg></svg>`;
  save(`${title}.svg`, "image/svg+xml", printHtml(file));
}

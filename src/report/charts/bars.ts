/** Small bars for table cells, as SVG: shares with their intervals, and signed values. */
import type { Interval } from "../../runs/statistics-records.ts";
import { type Html, html } from "../html.ts";
import { at, type Scale } from "./scale.ts";

const width = 100;
const height = 14;
const share: Scale = { domain: [0, 1], range: [0, width] };

/** A share from 0 to 1 as a bar with its interval; decorative next to the figure, hidden from screen readers. */
export function shareBar({ estimate, low, high }: Interval, colour: number): Html {
  const y = height / 2;
  return html`<svg class="bar s${colour % 8}" viewBox="0 0 ${width} ${height}" aria-hidden="true"><rect class="track" width="${width}" height="${height}" rx="2"/><rect class="fill" width="${at(share, estimate)}" height="${height}" rx="2"/><line class="whisker" x1="${at(share, low)}" x2="${at(share, high)}" y1="${y}" y2="${y}"/></svg>`;
}

/** A value within ±`most` as a bar from the centre: right and green above 0, left and red below. */
export function signedBar(value: number, most: number): Html {
  const scale: Scale = { domain: [-most, most], range: [0, width] };
  const end = most > 0 && Number.isFinite(value) ? at(scale, value) : width / 2;
  const [from, to] = [Math.min(end, width / 2), Math.max(end, width / 2)];
  return html`<svg class="bar signed" viewBox="0 0 ${width} ${height}" aria-hidden="true"><rect class="track" width="${width}" height="${height}" rx="2"/><rect class="${value < 0 ? "negative" : "positive"}" x="${from}" width="${Math.round(10 * (to - from)) / 10}" height="${height}"/><line class="zero" x1="${width / 2}" x2="${width / 2}" y1="0" y2="${height}"/></svg>`;
}

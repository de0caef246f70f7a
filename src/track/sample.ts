/** A rollout group for people to look at in a tracker. */
import sharp from "sharp";
import type { RawImage } from "../core/records.ts";
import type { Sample, SampleImage } from "./tracker.ts";

/** Of the steps that sample, the first and every tenth after it show their first group. The number is viva's own. */
export const SAMPLE_EVERY = 10;

/** What a sample shows of a row of rollouts.jsonl. */
export interface RolloutRow {
  readonly step: number;
  readonly question: string;
  readonly answer: string;
  readonly choices: readonly string[];
  readonly images: readonly { readonly path: string }[];
  readonly completions: readonly { readonly text: string; readonly reward: number | string | null }[];
}

/** Finds an image's pixels by its recorded path; null where it is gone. */
export type ImageSource = (path: string) => Promise<RawImage | null>;

const mostPixels = 512;

/** `images` null shows none. */
export async function sampleOf(
  row: RolloutRow & { readonly time: number },
  images: ImageSource | null,
): Promise<Sample> {
  const shown: SampleImage[] = [];
  for (const { path } of images === null ? [] : row.images) {
    const image = await images!(path);
    if (image !== null) shown.push(await smallPng(image));
  }
  return { step: row.step, time: row.time, markdown: markdownOf(row), images: shown };
}

function markdownOf({ question, answer, choices, completions }: RolloutRow): string {
  const options = choices.length === 0 ? "" : `\n\nOptions: ${choices.join("; ")}`;
  const answers = completions.map(({ text, reward }, i) => `Completion ${i + 1}, reward ${reward}:\n\n${fenced(text)}`);
  return `${fenced(question)}${options}\n\nReference answer: ${answer}\n\n${answers.join("\n\n")}\n`;
}

/** As it is: a completion is any text. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
}

async function smallPng({ width, height, channels, data }: RawImage): Promise<SampleImage> {
  const { data: png, info } = await sharp(data, { raw: { width, height, channels } })
    .resize(mostPixels, mostPixels, { fit: "inside", withoutEnlargement: true })
    .png()
    .toBuffer({ resolveWithObject: true });
  return { png, width: info.width, height: info.height };
}

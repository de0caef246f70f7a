/** Files of an offline W&B run beside its records: the media that its history names. */
import { join } from "node:path";
import { sha256, writeFileAtomic } from "../io/files.ts";
import type { Sample } from "./tracker.ts";

export interface MediaFile {
  /** In the history. */
  readonly name: string;
  /** What stands there; `path` is below the run's `files`. */
  readonly value: { readonly path: string } & Readonly<Record<string, string | number>>;
}

/** Writes what a sample shows below `folder`. */
export function sampleFiles({ step, markdown, images }: Sample, folder: string): readonly MediaFile[] {
  const page = Buffer.from(
    `<!doctype html><meta charset="utf-8"><pre style="white-space:pre-wrap">${escaped(markdown)}</pre>\n`,
  );
  const text = media("rollouts/sample", "html", step, page, { _type: "html-file" }, folder);
  return [
    text,
    ...images.map(({ png, width, height }, i) => {
      const kind = { _type: "image-file", format: "png", width, height };
      return media(`rollouts/image_${i}`, "images", step, png, kind, folder);
    }),
  ];
}

function media(
  name: string,
  sort: "html" | "images",
  step: number,
  bytes: Uint8Array,
  kind: Readonly<Record<string, string | number>>,
  folder: string,
): MediaFile {
  const hash = sha256(bytes);
  const path = `media/${sort}/${name}_${step}_${hash.slice(0, 20)}.${sort === "html" ? "html" : "png"}`;
  writeFileAtomic(join(folder, path), bytes);
  return { name, value: { ...kind, path, sha256: hash, size: bytes.length } };
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

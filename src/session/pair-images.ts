/** The images of pairs where a file of pairs can name them: generated ones are written as PNG beside it. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { basename, extname, join, resolve } from "node:path";
import { UserError } from "../core/errors.ts";
import { imageFile } from "../core/image-names.ts";
import { writeFileAtomic } from "../io/files.ts";
import { encodePng } from "../io/images.ts";
import { runImages } from "./run-images.ts";

/** For a file `out` of a run's pairs: a record's name of an image to a path in that file. UserError for an image that is gone. */
export function pairImages(folder: string, out: string): (path: string) => Promise<string> {
  const beside = `${basename(out, extname(out))}-images`;
  const load = runImages(folder);
  const known = new Map<string, Promise<string>>();
  const place = async (path: string): Promise<string> => {
    if (existsSync(imageFile(path).file)) return resolve(path);
    const pixels = await load(path);
    if (pixels === null) throw new UserError(`${folder}: the image ${path} is gone`);
    const name = `${createHash("sha256").update(path).digest("hex").slice(0, 16)}.png`;
    const target = join(resolve(out, ".."), beside);
    mkdirSync(target, { recursive: true });
    writeFileAtomic(join(target, name), await encodePng(pixels));
    return `${beside}/${name}`;
  };
  return (path) => {
    const placed = known.get(path) ?? place(path);
    known.set(path, placed);
    return placed;
  };
}

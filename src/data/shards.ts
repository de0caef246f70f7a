/** Parts of a split in files of their own, "train-00000-of-00007.parquet": a split is all of them, once, from one upload. */
import { basename } from "node:path";
import { UserError } from "../core/errors.ts";

const NUMBERED = /(\d+)[-_]of[-_](\d+)/;

/** Throws UserError where the names say "-of-N" and a part is missing, there twice, or of another upload; `what` begins the sentence. */
export function requireAllShards(what: string, files: readonly string[]): void {
  const shards = files.map((path) => {
    const [, part, of] = NUMBERED.exec(basename(path)) ?? [];
    return { path, part: Number(part ?? 0), of: of === undefined ? null : Number(of) };
  });
  const numbered = shards.find(({ of }) => of !== null);
  if (numbered === undefined) return;
  const of = numbered.of!;
  const other = shards.find((shard) => shard.of !== of);
  if (other !== undefined) {
    const mixed = `mixes files of ${of} with ${other.of === null ? "another" : `files of ${other.of}`} (${numbered.path}, ${other.path})`;
    throw new UserError(`${what} ${mixed}: keep those of one upload`);
  }
  const twice = shards.find((shard, i) => shards.findIndex(({ part }) => part === shard.part) < i);
  if (twice !== undefined) {
    const first = shards.find(({ part }) => part === twice.part)!;
    throw new UserError(`${what} has part ${twice.part} of ${of} twice (${first.path}, ${twice.path}): remove one`);
  }
  const parts = new Set(shards.map(({ part }) => part));
  const from = parts.has(of) && !parts.has(0) ? 1 : 0; // some number from 1
  const missing = Array.from({ length: of }, (_, i) => i + from).filter((part) => !parts.has(part));
  if (missing.length === 0 && files.length === of) return;
  const shown = missing.slice(0, 5).join(", ") + (missing.length > 5 ? ", …" : "");
  throw new UserError(
    `${what} has ${files.length} of its ${of} files, numbered from ${from}: ${shown} missing; get them first`,
  );
}

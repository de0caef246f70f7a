/** What probes found of a run: the files of `viva probe --out` that lie in its folder. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ProbeResults, probesSchema } from "../evaluate/probes/results.ts";
import { probeRows } from "../evaluate/probes/table.ts";
import { statOf } from "./lines.ts";

export interface ShownProbes {
  readonly file: string;
  readonly protocol: string;
  /** The checkpoint's folder. */
  readonly subject: string;
  readonly probes: readonly {
    readonly probe: string;
    readonly about: ProbeResults["probes"][number]["about"];
    readonly title: string;
    readonly skipped: string | null;
    /** As `viva probe` prints them: measure, condition, n, value with its 95 % interval. */
    readonly rows: ReturnType<typeof probeRows>;
  }[];
}

const MOST_BYTES = 5_000_000;

/** The last written first. */
export function probesOf(folder: string): readonly ShownProbes[] {
  const files = readdirSync(folder, { withFileTypes: true }).filter(
    (one) => one.isFile() && one.name.endsWith(".json"),
  );
  const small = files
    .map(({ name }) => ({ name, stat: statOf(join(folder, name)) }))
    .filter(({ stat }) => stat && stat.size < MOST_BYTES);
  return small
    .sort((a, b) => b.stat!.mtimeMs - a.stat!.mtimeMs)
    .flatMap(({ name }) => {
      const found = readProbes(join(folder, name));
      if (found === null) return [];
      const { protocol, subject, probes } = found;
      return [{ file: name, protocol, subject, probes: probes.map((probe) => shownProbe(probe)) }];
    });
}

function shownProbe({ probe, about, title, skipped, measures }: ProbeResults["probes"][number]) {
  return { probe, about, title, skipped, rows: probeRows({ measures }) };
}

function readProbes(path: string): ProbeResults | null {
  try {
    return probesSchema.safeParse(JSON.parse(readFileSync(path, "utf8"))).data ?? null;
  } catch {
    return null;
  }
}

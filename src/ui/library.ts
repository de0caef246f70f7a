/** The runs and studies that the pages know, found anew at most every two seconds, and the runs that were looked into. */
import { HTTPException } from "hono/http-exception";
import { type Found, type FoundFolder, findRuns } from "./find-runs.ts";
import { type RunRow, rowReader } from "./run-row.ts";
import { type RunView, viewRun } from "./run-view.ts";

export interface Library {
  /** Real paths. */
  readonly roots: readonly string[];
  found(): Found;
  rows(): readonly RunRow[];
  row(id: string): RunRow;
  /** A run with its files read up to now; answers 404 for an unknown one. */
  run(id: string): RunView;
  study(id: string): FoundFolder;
  /** What `work` gives, kept until the run's files change. */
  cached<T>(run: RunView, key: string, work: () => T): T;
}

/** Runs kept open; an index of 100,000 completions takes some 60 MB. */
const MOST_OPEN = 12;
const FIND_MS = 2000;

export function openLibrary(roots: readonly string[]): Library {
  const open = new Map<string, RunView>();
  const results = new Map<string, { readonly position: string; readonly value: unknown }>();
  const rowOf = rowReader();
  let found: Found | null = null;
  let foundAt = 0;
  const find = () => {
    if (found === null || Date.now() - foundAt > FIND_MS) {
      found = findRuns(roots);
      foundAt = Date.now();
    }
    return found;
  };
  const folderOf = (id: string) => {
    const known = find().runs.find((one) => one.id === id);
    if (known !== undefined) return known;
    throw new HTTPException(404, { message: `there is no run ${id.slice(0, 60)} in the opened folders` });
  };
  return {
    roots,
    found: find,
    rows: () => find().runs.map(rowOf),
    row: (id) => rowOf(folderOf(id)),
    run(id) {
      const folder = folderOf(id);
      const view = open.get(id) ?? viewRun(folder);
      open.delete(id); // the last used stands last
      open.set(id, view);
      for (const old of open.keys()) if (open.size > MOST_OPEN) open.delete(old);
      view.update();
      return view;
    },
    study(id) {
      const known = find().studies.find((one) => one.id === id);
      if (known !== undefined) return known;
      throw new HTTPException(404, { message: `there is no study ${id.slice(0, 60)} in the opened folders` });
    },
    cached<T>(run: RunView, key: string, work: () => T): T {
      const name = `${run.found.id} ${key}`;
      const position = run.position();
      const known = results.get(name);
      if (known?.position === position) return known.value as T;
      const value = work();
      results.delete(name);
      results.set(name, { position, value });
      for (const old of results.keys()) if (results.size > 100) results.delete(old);
      return value;
    },
  };
}

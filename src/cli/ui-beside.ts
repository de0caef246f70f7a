/** viva train --ui: the pages in a process of their own beside a run, so that looking at it can never stop it. */
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { makeFolder } from "../core/make-folder.ts";
import type { Recipe } from "../recipes/schema.ts";
import type { Reporter } from "../runs/reporter.ts";

/** Starts the pages over the folder that the run lies in, with the images of its data; returns how they end. */
export function startUiBeside(folder: string, { data }: Recipe, reporter: Reporter): () => void {
  const root = dirname(folder);
  makeFolder(root);
  const images = [data.train.path, data.eval?.path ?? null].flatMap((path) => (path === null ? [] : folderOf(path)));
  const named = [...new Set(images)].flatMap((path) => ["--images", path]);
  const args = [...process.execArgv, process.argv[1]!, "ui", root, "--port", "0", "--json", ...named];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  child.on("error", (error) => reporter.warn(`the pages could not be opened: ${error.message}`));
  createInterface({ input: child.stdout }).on("line", (line) => {
    const url = /"url":"([^"]+)"/.exec(line)?.[1];
    if (url !== undefined) reporter.message(`watch it: ${url} (while this command runs; later: viva ui ${root})`);
  });
  createInterface({ input: child.stderr }).on(
    "line",
    (line) => line.startsWith("error") && reporter.warn(`the pages: ${line}`),
  );
  return () => void child.kill("SIGTERM");
}

/** The folder of a data set; none for one that is not there. */
function folderOf(path: string): readonly string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? [] : [found.isDirectory() ? path : dirname(path)];
}

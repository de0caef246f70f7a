/**
 * Once per run of the tests: the present source as the command `viva`, in a folder of its own. Bundled, since hundreds of
 * processes read it; that every file of the package is found at its place is tested by test/package.
 */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildSync } from "esbuild";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** The folder that holds dist/ and what it reads. */
    readonly built: string;
  }
}

const root = resolve(import.meta.dirname, "..");

/** Builds before the first test and removes the folder after the last. */
export default function setup({ provide }: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "viva-built-"));
  for (const name of ["package.json", "node_modules", "recipes", "assets", "studies"]) {
    symlinkSync(join(root, name), join(folder, name));
  }
  // One folder for all, so that what they look for beside themselves is there: the workers, and assets two folders up.
  const workers = [
    "engine/local/worker.ts",
    "evaluate/conventional/fit-worker.ts",
    "engine/tinker/heartbeat-worker.ts",
  ];
  const entries = ["cli/main.ts", "cli/run.ts", ...workers, "engine/local/device-probe.ts"];
  buildSync({
    entryPoints: entries.map((file) => join(root, "src", file)),
    outdir: join(folder, "dist/cli"),
    entryNames: "[name]",
    ...{ bundle: true, splitting: true, packages: "external", platform: "node", target: "node20", format: "esm" },
  });
  // Vitest leaves a module to Node by the end of its name.
  writeFileSync(join(folder, "dist/cli/run.mjs"), 'export * from "./run.js";\n');
  provide("built", folder);
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

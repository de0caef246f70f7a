/** Once per run of the tests: the present source, built without type checks into a folder of its own, which starts twice as fast. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
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
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const options = ["--noCheck", "--declaration", "false", "--outDir", join(folder, "dist")];
  execFileSync(process.execPath, [compiler, "-p", join(root, "tsconfig.build.json"), ...options], { stdio: "inherit" });
  provide("built", folder);
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

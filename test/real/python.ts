/**
 * Python environments for tests that drive real programs from PyPI. Each is made once from its pinned requirements, below
 * ~/.cache/viva-tests (VIVA_TEST_CACHE names another place), and used again by later runs.
 */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, it } from "vitest";

/** What an environment is made of. */
export type PythonNeeds = {
  /** The name of its folder, with a hash of the rest. */
  readonly name: string;
  /** `3.11` or `3.12`. */
  readonly version?: "3.11" | "3.12";
  /** Requirements as pip takes them, each with its version: `mlflow-skinny==3.1.0`. */
  readonly requirements: readonly string[];
  /** Requirements installed afterwards without what they depend on. */
  readonly withoutDependencies?: readonly string[];
};

/** A ready environment: `python` is its interpreter, `bin` finds its programs. */
export type Python = { readonly python: string; readonly bin: (program: string) => string };

/**
 * Describes tests that need a Python environment. Where it cannot be made (no such Python, no PyPI), the reason stands in
 * the name of one skipped test, so that the run counts it.
 */
export async function describeWithPython(title: string, needs: PythonNeeds, tests: (python: Python) => void) {
  const environment = await pythonEnvironment(needs);
  describe(title, () => {
    if (typeof environment === "string") it.skip(`skipped: ${environment}`, () => {});
    else tests(environment);
  });
}

/** The environment, made if it is not there yet, or the reason why it cannot be had. */
export async function pythonEnvironment(needs: PythonNeeds): Promise<Python | string> {
  const { name, version = "3.11", requirements, withoutDependencies = [] } = needs;
  const hash = createHash("sha256")
    .update(JSON.stringify([version, requirements, withoutDependencies]))
    .digest("hex");
  const cache = process.env["VIVA_TEST_CACHE"] ?? join(homedir(), ".cache", "viva-tests");
  const folder = join(cache, `${name}-${hash.slice(0, 12)}`);
  const bin = (program: string) => join(folder, "bin", program);
  const environment = { python: bin("python"), bin };
  const ready = join(folder, "ready");
  if (existsSync(ready)) return environment;
  const base = findPython(version);
  if (base === null) return `no Python ${version} on this machine`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  const run = promisify(execFile);
  const install = (list: readonly string[], ...more: string[]) =>
    run(bin("python"), ["-m", "pip", "install", "--quiet", ...more, ...list], { timeout: 9 * 60_000 });
  try {
    await run(base, ["-m", "venv", folder]);
    if (requirements.length > 0) await install(requirements);
    if (withoutDependencies.length > 0) await install(withoutDependencies, "--no-deps");
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    return `${name} could not be installed: ${lastLine(error)}`;
  }
  writeFileSync(ready, "");
  return environment;
}

/** An interpreter of that version, or null: on the path, or among pyenv's. */
function findPython(version: string): string | null {
  const isRight = (python: string) => {
    try {
      const said = execFileSync(python, ["-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"], {
        stdio: "pipe",
      });
      return said.toString().trim() === version;
    } catch {
      return false;
    }
  };
  if (isRight(`python${version}`)) return `python${version}`;
  try {
    const names = execFileSync("pyenv", ["versions", "--bare"], { stdio: "pipe" }).toString().split("\n");
    const root = execFileSync("pyenv", ["root"], { stdio: "pipe" }).toString().trim();
    const found = names
      .filter((it) => it.startsWith(`${version}.`))
      .map((it) => join(root, "versions", it, "bin", "python"));
    return found.find(isRight) ?? null;
  } catch {
    return null;
  }
}

function lastLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr?.trim() || message).split("\n").at(-1)!;
}

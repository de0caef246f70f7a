/** What a run ran on: machine, versions and source commit. Never environment variables, arguments or names of users. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The content of environment.json. */
export interface Environment {
  /** UTC, ISO 8601. */
  readonly created: string;
  readonly node: string;
  /** For example "linux x64 6.1.0". */
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gb: number;
  /** Versions of viva and of the dependencies asked for, by package name; "unknown" where one could not be found. */
  readonly packages: Readonly<Record<string, string>>;
  /** Commit of the checkout the run was started in, "-dirty" appended when files differ from it; null outside one. */
  readonly git_commit: string | null;
  /** What an engine elsewhere was found to do; absent for one on this machine. */
  readonly engine?: Readonly<Record<string, unknown>>;
}

/** Gathers the environment; `dependencies` are the packages whose versions matter besides viva's own. */
export function environment(dependencies: readonly string[], folder = process.cwd(), now = new Date()): Environment {
  const here = fileURLToPath(import.meta.url);
  const viva = packageOf(fileURLToPath(new URL("../../package.json", import.meta.url)))!;
  const processors = cpus();
  return {
    created: now.toISOString(),
    node: process.version,
    platform: `${platform()} ${arch()} ${release()}`,
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memory_gb: Math.round(totalmem() / 1e8) / 10,
    packages: {
      [viva.name]: viva.version,
      ...Object.fromEntries(dependencies.map((name) => [name, dependencyVersion(name, here)])),
    },
    git_commit: gitCommit(folder),
  };
}

/**
 * The version of the package that `name` means in the file `from`: in its own node_modules or a folder's above, where npm puts
 * it when viva is itself a dependency. Its exports may hide package.json from import, so that the folders are looked through.
 */
export function dependencyVersion(name: string, from: string): string {
  const folders = createRequire(from).resolve.paths(name) ?? [];
  const file = folders.map((folder) => join(folder, name, "package.json")).find(existsSync);
  return (file === undefined ? null : packageOf(file))?.version ?? "unknown";
}

function packageOf(file: string): { readonly name: string; readonly version: string } | null {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

function gitCommit(folder: string): string | null {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"], {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 5000,
    }).trim();
  } catch {
    return null;
  }
}

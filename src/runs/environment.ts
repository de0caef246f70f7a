/** What a run ran on: machine, versions and source commit. Never environment variables, arguments or names of users. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { basename, dirname } from "node:path";

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
  /** Version by package name; "unknown" where its package.json could not be read. */
  readonly packages: Readonly<Record<string, string>>;
  /** Commit of the checkout the run was started in, "-dirty" appended when files differ from it; null outside one. */
  readonly git_commit: string | null;
}

/** Gathers the environment; `packageFiles` are the package.json files whose versions matter (viva, onnxruntime-node). */
export function environment(packageFiles: readonly string[], folder = process.cwd(), now = new Date()): Environment {
  const processors = cpus();
  return {
    created: now.toISOString(),
    node: process.version,
    platform: `${platform()} ${arch()} ${release()}`,
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memory_gb: Math.round(totalmem() / 1e8) / 10,
    packages: Object.fromEntries(packageFiles.map(nameAndVersion)),
    git_commit: gitCommit(folder),
  };
}

function nameAndVersion(file: string): [string, string] {
  try {
    const { name, version } = JSON.parse(readFileSync(file, "utf8")) as { name: string; version: string };
    return [name, version];
  } catch {
    return [basename(dirname(file)), "unknown"];
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

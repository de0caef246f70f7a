/** Runs mutations in a child process, which a crash, a hang or a lack of memory ends without ending the tests. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface HostileResult {
  readonly target: string;
  readonly cases: number;
  readonly loaded: number;
  readonly refused: number;
  readonly slowest_s: number;
  readonly max_rss_mb: number;
}

/** How a run ended; `problems` are the lines of cases that were neither loaded nor clearly refused. */
export interface HostileRun {
  readonly code: number | null;
  readonly results: readonly HostileResult[];
  readonly problems: readonly string[];
  readonly stderr: string;
}

/** `share` of every target's mutations; `minutes` until the process counts as hung. */
export async function runHostile(seed: number, share: number, minutes: number, target?: string): Promise<HostileRun> {
  const main = fileURLToPath(new URL("./main.ts", import.meta.url));
  const args = ["--import", "tsx", "--max-old-space-size=1024", main, String(seed), String(share)];
  const child = spawn(process.execPath, target === undefined ? args : [...args, target], { timeout: 60_000 * minutes });
  const text = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text.out += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    text.err += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const lines = text.out.split("\n").filter((line) => line !== "");
  const problems = lines.filter((line) => line.includes('"problem"'));
  const results = lines.filter((line) => !problems.includes(line)).map((line) => JSON.parse(line) as HostileResult);
  return { code, results, problems, stderr: text.err.slice(-4000) };
}

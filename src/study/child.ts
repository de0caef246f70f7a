/** Trains in a child process, so that a crash or running out of memory affects only that run. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { StepInfo } from "../runs/reporter.ts";
import type { RunOutcome, TrainRun } from "./execute.ts";

/** Characters kept from the end of a child's stderr. */
const KEPT = 4000;

export interface ChildOptions {
  /** Node's arguments that start the viva command. */
  readonly viva: readonly string[];
  readonly onStep: (folder: string, info: StepInfo) => void;
  readonly signal: AbortSignal;
}

/** Runs `viva train` in a separate process; an abort asks it to stop at the next step and waits for it. */
export function trainInChild({ viva, onStep, signal }: ChildOptions): TrainRun {
  return (folder, recipeFile) => {
    const what = recipeFile === null ? ["--resume"] : [recipeFile];
    const child = spawn(process.execPath, [...viva, "train", ...what, "--run", folder, "--json", "--no-report"], {
      stdio: ["ignore", "pipe", "pipe"],
      // Its own process group: Ctrl-C on the terminal reaches it once, through this process.
      detached: process.platform !== "win32",
    });
    const stop = () => void child.kill("SIGINT");
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors = (errors + chunk).slice(-KEPT)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const record = parsed(line);
      if (record?.type === "step") onStep(folder, record);
    });
    return new Promise<RunOutcome>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, killed) => {
        signal.removeEventListener("abort", stop);
        const message = reasonOf(errors, code, killed);
        resolve(code === 0 ? { ok: true } : { ok: false, message, killed: killed !== null });
      });
    });
  };
}

function parsed(line: string): (StepInfo & { readonly type: string }) | null {
  try {
    return JSON.parse(line) as StepInfo & { readonly type: string };
  } catch {
    return null;
  }
}

/** The child's own error message, else how it ended. */
function reasonOf(errors: string, code: number | null, signal: NodeJS.Signals | null): string {
  const own = errors.split("\n").findLast((line) => line.startsWith("error: "));
  if (own !== undefined) return own.slice("error: ".length);
  const last = errors.trim().split("\n").at(-1) ?? "";
  const how =
    signal === null
      ? `exit code ${code}`
      : `ended by ${signal}${signal === "SIGKILL" ? ", perhaps out of memory" : ""}`;
  return last === "" ? how : `${how}: ${last}`;
}

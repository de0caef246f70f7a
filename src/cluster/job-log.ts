/** Follows the JSON lines that a job writes on a node: steps, as far as they are there. */
import { closeSync, openSync, readSync } from "node:fs";
import type { StepInfo } from "../runs/reporter.ts";

export interface LogReader {
  /** Tells of what was written since. */
  read(): void;
}

export function openLog(file: string, onStep: (info: StepInfo) => void): LogReader {
  let at = 0;
  return {
    read() {
      const text = readFrom(file, at);
      at += Buffer.byteLength(text);
      for (const line of text.split("\n")) {
        const step = stepOf(line);
        if (step !== null) onStep(step);
      }
    },
  };
}

/** What the file holds from a byte on, up to its last newline; nothing where it is not there yet. */
function readFrom(file: string, at: number): string {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch {
    return "";
  }
  try {
    const buffer = Buffer.alloc(1 << 20);
    const whole = buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, at));
    return whole.subarray(0, whole.lastIndexOf(10) + 1).toString("utf8");
  } finally {
    closeSync(fd);
  }
}

function stepOf(line: string): StepInfo | null {
  try {
    const record = JSON.parse(line) as StepInfo & { readonly type: string };
    return record.type === "step" ? record : null;
  } catch {
    return null;
  }
}

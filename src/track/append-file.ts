/** Files that only grow, up to a length that is remembered elsewhere: what came after it was never acknowledged and goes. */
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { makeFolder } from "../core/make-folder.ts";
import { whileWriting } from "../core/system-errors.ts";

/** Cuts the file to `keep` bytes, making it where there is none, and appends; returns its new length. */
export function appendAt(file: string, keep: number, parts: readonly Uint8Array[]): number {
  return whileWriting(file, () => {
    makeFolder(dirname(file));
    const fd = openSync(file, existsSync(file) ? "r+" : "w+");
    try {
      ftruncateSync(fd, keep);
      let end = keep;
      for (const bytes of parts) {
        for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, end + done);
        end += bytes.length;
      }
      fsyncSync(fd);
      return end;
    } finally {
      closeSync(fd);
    }
  });
}

/** Whether the file still has its acknowledged part. */
export function holds(file: string, bytes: number): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? -1) >= bytes;
}

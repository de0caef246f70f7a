/** Writing that survives a kill or a power cut: a file is either the old one or the new one, never half of it. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { asFileError } from "../core/system-errors.ts";

/** Replaces a file's content in one step: written beside it, flushed to disk, renamed. */
export function replaceFile(path: string, text: string): void {
  const beside = `${path}.tmp`;
  try {
    writeFileSync(beside, text);
    moveIntoPlace(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw asFileError(error, { verb: "write", path });
  }
}

/** Renames a finished file over `path` after flushing its content, then flushes the folder's entry. */
export function moveIntoPlace(finished: string, path: string): void {
  flush(finished);
  renameSync(finished, path);
  flushFolder(dirname(path));
}

/** Flushes a file's content to disk. */
export function flush(path: string): void {
  const fd = openSync(path, process.platform === "win32" ? "r+" : "r"); // a read-only file can be flushed too
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Flushes a folder's list of entries, where the platform can (Windows opens no folder). */
export function flushFolder(folder: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

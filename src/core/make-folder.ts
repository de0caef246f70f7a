/** Making folders, with the system's true reason where that fails. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes a folder and those above it, one by one; one that is there is left. Throws the system's error. Node's own way of making
 * several at once reports a read-only disk as a missing folder, and never ends where the system makes none, as below /proc.
 */
export function makeFolder(folder: string): void {
  const wanted: string[] = [];
  for (let at = resolve(folder); wanted.length === 0 || !existsSync(at); at = dirname(at)) wanted.unshift(at);
  for (const each of wanted) {
    if (!isFolder(each)) makeOne(each);
  }
}

/** Another process may make it at the same moment. */
function makeOne(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

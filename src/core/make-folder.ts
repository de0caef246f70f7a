/** Making folders, with the system's true reason where that fails. */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/** Makes a folder and those above it; one that is there is left. Throws the system's error. */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    // Making several at once, Node reports a read-only disk as a missing folder: the first of them alone has the reason.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    mkdirSync(firstMissing(folder));
    mkdirSync(folder, { recursive: true });
  }
}

function firstMissing(folder: string): string {
  const above = dirname(folder);
  return existsSync(above) || above === folder ? folder : firstMissing(above);
}

/** Where in the user's own modules an error arose. A light file: every call of the command line loads it. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Place {
  readonly file: string;
  readonly line: string;
}

/** The first place in the error's stack that is neither viva's nor a package's: in a module of the user's own; null without. */
export function placeInModules(error: unknown): Place | null {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  for (const [, at, line] of stack.matchAll(/(file:\/\/[^\s()]+?|(?:\/|[A-Z]:\\)[^\n()]*?):(\d+)(?::\d+)?(?=\)?$)/gm)) {
    const file = pathOf(at!);
    const isOwn = file.startsWith(OWN) || /[\\/]node_modules[\\/]/.test(file);
    if (!isOwn && existsSync(file)) return { file, line: line! };
  }
  return null;
}

/** The folder of viva's own code. */
const OWN = fileURLToPath(new URL("..", import.meta.url));

/** tsx marks what it loads by a query behind the name. */
export function pathOf(name: string): string {
  const plain = name.replace(/\?.*$/, "");
  return plain.startsWith("file:") ? fileURLToPath(plain) : plain;
}

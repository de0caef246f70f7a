/** What an error of a user's module says, in one line, with the line of the file that it arose in. */
import { spawnSync } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { messageOf } from "./errors.ts";

interface Place {
  readonly file: string;
  readonly line: string;
}

/** For a process that only parses the module again. */
const PARSE_MS = 10_000;

/** "Unexpected token ')' (line 3)"; of a file that the module imports, "… (FILE, line 4)". The module is `file`. */
export function moduleErrorText(error: unknown, file: string): string {
  const compiled = compilerError(error);
  const place = compiled ?? placeInStack(error, file) ?? (error instanceof SyntaxError ? placeOfSyntax(file) : null);
  const message = (compiled?.text ?? messageOf(error)).replace(/\s+/g, " ").trim();
  if (place === null) return message;
  return `${message} (${place.file === file ? "" : `${place.file}, `}line ${place.line})`;
}

/** An error of esbuild, by which tsx reads TypeScript: FILE:LINE:COLUMN: ERROR: what is wrong. */
function compilerError(error: unknown): (Place & { readonly text: string }) | null {
  const [, file, line, text] = /^(.+?):(\d+):\d+: ERROR: (.+)$/m.exec(messageOf(error)) ?? [];
  return file === undefined ? null : { file, line: line!, text: text! };
}

/** Where an error was thrown, when that was in the module; and where an import was written that finds nothing. */
function placeInStack(error: unknown, file: string): Place | null {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  for (const name of [pathToFileURL(file).href, file]) {
    const from = stack.indexOf(`${name}:`);
    const line = from < 0 ? null : /^\d+/.exec(stack.slice(from + name.length + 1));
    if (line !== null) return { file, line: line[0] };
  }
  return null;
}

/**
 * Node keeps the place of a syntax error to itself until it prints it: so another process imports the module, which fails
 * before any of its code runs.
 */
function placeOfSyntax(file: string): Place | null {
  const code = `import(${JSON.stringify(pathToFileURL(file).href)})`;
  const args = ["--input-type=module", "--eval", code];
  const { stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: PARSE_MS });
  const [, url, line] = /^(file:\/\/\S+|\/\S+|[A-Z]:\S+):(\d+)$/m.exec(stderr ?? "") ?? [];
  if (url === undefined) return null;
  return { file: url.startsWith("file:") ? fileURLToPath(url) : url, line: line! };
}

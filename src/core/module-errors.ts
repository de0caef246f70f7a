/** What an error of a user's module says, in one line, with the line of the file that it arose in. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { messageOf } from "./errors.ts";
import { type Place, pathOf, placeInModules } from "./module-place.ts";

/** For a process that only parses the module again. */
const PARSE_MS = 10_000;

/** "Unexpected token ')' (line 3)"; of a file that the module imports, "… (FILE, line 4)". The module is `file`. */
export function moduleErrorText(error: unknown, file: string): string {
  const found = compilerError(error) ?? missingImport(error, file);
  const place = found ?? placeInModules(error) ?? (error instanceof SyntaxError ? placeOfSyntax(file) : null);
  const message = (found?.text ?? messageOf(error)).replace(/\s+/g, " ").trim();
  if (place === null) return message;
  return `${message} (${place.file === file ? "" : `${place.file}, `}line ${place.line})`;
}

/** An error of esbuild, by which tsx reads TypeScript: FILE:LINE:COLUMN: ERROR: what is wrong. */
function compilerError(error: unknown): (Place & { readonly text: string }) | null {
  const [, file, line, text] = /^(.+?):(\d+):\d+: ERROR: (.+)$/m.exec(messageOf(error)) ?? [];
  return file === undefined ? null : { file, line: line!, text: text! };
}

/** An import that finds nothing, by the line that names it: Node tells the file that it is written in, tsx a list of them. */
function missingImport(error: unknown, file: string): (Place & { readonly text: string }) | null {
  const message = messageOf(error);
  const [text, wanted] = /^Cannot find (?:module|package) '([^']+)'/.exec(message) ?? [];
  if (text === undefined) return null;
  const [, importer = file] = /(?: imported from |\n- )(.+)/.exec(message) ?? [];
  const from = pathOf(importer.trim());
  const lines = existsSync(from) ? readFileSync(from, "utf8").split("\n") : [];
  const named = new RegExp(`["'](?:[^"']*/)?${basename(wanted!).replace(/[^\w]/g, "\\$&")}["']`);
  const at = lines.findIndex((line) => named.test(line));
  return at < 0 ? null : { text, file: from, line: String(at + 1) };
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

/** Imports a module of the user's own, JavaScript or TypeScript, which a recipe names by its path. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const EXTENSIONS = [".ts", ".mts", ".js", ".mjs"];

/** The file that a path names, which must be there; `fail` is told what is wrong. */
export function moduleFile(path: string, fail: (problem: string) => never): string {
  const file = resolve(path);
  if (!EXTENSIONS.includes(extname(file))) fail(`must be a file ending in ${EXTENSIONS.join(", ")}`);
  if (!existsSync(file)) fail("no such file");
  return file;
}

/**
 * The default export, else the one called `name`; undefined where there is neither. A module that was made CommonJS on its
 * way has its exports one level deeper, below its own default, which is told from the thing itself by lacking `member`.
 */
export function exportOf(exports: object, name: string, member: string): unknown {
  const of = (level: object): unknown => {
    const { default: main, [name]: named } = level as Readonly<Record<string, unknown>>;
    const isWrapper =
      typeof main === "object" && main !== null && !(member in main) && ("default" in main || name in main);
    return isWrapper ? undefined : (main ?? named);
  };
  return of(exports) ?? of((exports as { readonly default?: object }).default ?? {});
}

/** Imports a file. A Node that knows no TypeScript gets tsx's help where tsx is installed, beside viva or beside the file. */
export async function importModule(file: string): Promise<object> {
  const url = pathToFileURL(file).href;
  try {
    return (await import(url)) as object;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_UNKNOWN_FILE_EXTENSION") throw error;
    const tsImport = await typescriptImport(file);
    process.setSourceMapsEnabled(true); // tsx moves lines: errors tell where they are in the source
    return (await tsImport(url, import.meta.url)) as object;
  }
}

type TsImport = (url: string, parent: string) => Promise<unknown>;

async function typescriptImport(file: string): Promise<TsImport> {
  for (const from of [file, import.meta.url]) {
    try {
      const required = createRequire(from).resolve("tsx/esm/api");
      const api = required.replace(/\.cjs$/, ".mjs"); // what `require` finds; the form for `import` lies beside it
      return ((await import(pathToFileURL(api).href)) as { tsImport: TsImport }).tsImport;
    } catch {} // not installed there
  }
  throw new Error(
    `Node ${process.version} reads no TypeScript: use Node 22.18 or later, install tsx beside the module, or write it in JavaScript`,
  );
}

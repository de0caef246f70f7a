/** The built pages, read once: scripts and styles by their names, and the one page for every other address. */
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../core/errors.ts";

export interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** By path below the folder. */
export type Pages = ReadonlyMap<string, PageFile>;

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The same from the source and from the built package. */
const built = fileURLToPath(new URL("../../dist/ui/pages/", import.meta.url));

/** Throws UserError where they were not built. */
export function readPages(folder = built): Pages {
  let names: readonly string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch {
    throw new UserError(`the pages are not built: there is no ${folder}; run npm run build`);
  }
  const files = names.filter((name) => types[extname(name)] !== undefined);
  return new Map(
    files.map((name) => {
      const bytes = new Uint8Array(readFileSync(join(folder, name)));
      return [name.replaceAll("\\", "/"), { type: types[extname(name)]!, bytes }] as const;
    }),
  );
}

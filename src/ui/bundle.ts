/**
 * The pages of some runs as plain files: the very answers of the server, each path asked once and kept as a script, since a
 * page opened from a disk may load scripts but not fetch. Groups of a step share a file.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import { makeFolder } from "../core/make-folder.ts";
import { whileWriting } from "../core/system-errors.ts";
import type { UiApp } from "./app.ts";
import { bundleName } from "./bundle-name.ts";
import type { Library } from "./library.ts";
import type { Pages } from "./pages.ts";

export interface BundleOptions {
  readonly app: UiApp;
  readonly library: Library;
  readonly pages: Pages;
  /** Whether images are part of it: those of patients may not leave the building. */
  readonly images: boolean;
}

/** Of so many runs every pair is compared; of more, each with the first. */
const MOST_PAIRED = 5;

/** Writes the bundle into a new or empty folder; returns files and bytes. Throws UserError for one with anything in it. */
export async function writeBundle(
  folder: string,
  o: BundleOptions,
): Promise<{ readonly files: number; readonly bytes: number }> {
  whileWriting(folder, () => makeFolder(folder));
  if (readdirSync(folder).length > 0)
    throw new UserError(`${folder}: the folder is not empty; name a new one for the bundle`);
  mkdirSync(join(folder, "data"));
  const scripts = new Map<string, string[]>();
  for (const path of pathsOf(o)) {
    const answer = await o.app.request(encodeURI(path), { headers: { host: "localhost" } });
    if (!answer.ok) continue;
    const [type, image] = [answer.headers.get("content-type") ?? "", answer.headers.get("x-image")];
    const bytes = Buffer.from(await answer.arrayBuffer());
    const content = type.startsWith("application/json")
      ? { text: bytes.toString("utf8") }
      : { base64: bytes.toString("base64") };
    const call = `vivaBundle(${JSON.stringify(path)},${JSON.stringify({ type, ...content, ...(image === null ? {} : { image }) })});\n`;
    const name = bundleName(path);
    scripts.set(name, [...(scripts.get(name) ?? []), call]);
  }
  let bytes = 0;
  let files = 0;
  const write = (name: string, content: string | Uint8Array) => {
    const path = join(folder, name);
    whileWriting(path, () => writeFileSync(path, content));
    bytes += content.length;
    files++;
  };
  for (const [name, calls] of scripts) write(join("data", name), calls.join(""));
  const script = [...o.pages].find(([name]) => name.endsWith(".js"))!;
  const style = [...o.pages].find(([name]) => name.endsWith(".css"))!;
  write("viva.js", `(() => {\n${Buffer.from(script[1].bytes).toString("utf8")}\n})();\n`);
  write("viva.css", style[1].bytes);
  write("index.html", page);
  return { files, bytes };
}

function pathsOf({ library, images }: BundleOptions): readonly string[] {
  const ids = library.found().runs.map(({ id }) => id);
  const pairs = ids.flatMap((a, i) =>
    ids.flatMap((b) => (a !== b && (i === 0 || ids.length <= MOST_PAIRED) ? [`${a}+${b}`] : [])),
  );
  const all = ids.length > 2 ? [ids.slice(0, 12).join("+")] : [];
  return [
    "/api/state",
    "/api/runs",
    "/api/recipes",
    ...library.found().studies.map(({ id }) => `/api/studies/${id}`),
    ...[...pairs, ...all].map((names) => `/api/compare/${names}`),
    ...ids.flatMap(pathsOfRun),
  ];

  function pathsOfRun(id: string): readonly string[] {
    const run = library.run(id);
    const at = `/api/runs/${id}`;
    const shown = images ? [...run.groups.images.keys()] : [];
    return [
      at,
      ...["groups", "statistics", "data", "look-alikes", "calibration", "checkpoints", "probes"].map(
        (name) => `${at}/${name}`,
      ),
      ...run.evaluations.map(({ n }) => `${at}/evals/${n}`),
      ...run.groups.columns().ids.map((group) => `${at}/groups/${group}`),
      ...shown.flatMap((sha) => ["", "/thumbnail", "/model"].map((view) => `${at}/images/${sha}${view}`)),
    ];
  }
}

const policy = [
  ...["default-src 'none'", "script-src 'self' file:", "style-src 'self' file:", "img-src 'self' data: blob:"],
  ...["base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types viva-bundle"],
].join("; ");

const page = `<!doctype html>
<html lang="en" data-bundle>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>viva</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="./viva.css">
<script defer src="./viva.js"></script>
</head>
<body><div id="app"></div></body>
</html>
`;

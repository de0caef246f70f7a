/** The repository's Markdown pages, taken apart for the tests: headings as GitHub's anchors, links, paragraphs. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
/** Folders with pages; runs, downloads and environments of a checkout may hold pages of others. */
const folders = ["docs", "recipes", "assets", "bench", "studies", "scripts", "examples", ".github"];

export const pages: readonly string[] = [
  ...readdirSync(root).filter((file) => file.endsWith(".md")),
  ...folders.filter((folder) => existsSync(join(root, folder))).flatMap(pagesIn),
];

function pagesIn(folder: string): readonly string[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".md")).map((file) => join(folder, file));
}

export function pathOf(page: string): string {
  return join(root, page);
}

/** The page's lines outside code and formulas. */
function proseOf(page: string): readonly string[] {
  let fenced = false;
  return readFileSync(pathOf(page), "utf8")
    .split("\n")
    .filter((line) => {
      const fence = /^\s*```/.test(line);
      if (fence) fenced = !fenced;
      return !fence && !fenced;
    });
}

/** Anchors as GitHub makes them: lower case, hyphens for blanks, other signs dropped, repeated ones numbered. */
export function anchorsOf(page: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const line of proseOf(page)) {
    const title = /^#{1,6} +(.+?)\s*$/.exec(line)?.[1];
    if (title === undefined) continue;
    const slug = title
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, "")
      .replaceAll(" ", "-");
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    anchors.add(times === 0 ? slug : `${slug}-${times}`);
  }
  return anchors;
}

/** Targets of the page's links and images that stay inside the repository. */
export function linksOf(page: string): readonly string[] {
  const text = proseOf(page)
    .join("\n")
    .replaceAll(/`[^`\n]*`/g, "");
  const targets = [...text.matchAll(/\]\(([^()\s]+)\)/g)].map((match) => match[1]!);
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

/** Paragraphs, list items and table rows, each as one text. */
export function paragraphsOf(page: string): readonly string[] {
  const paragraphs: string[] = [];
  let open = false;
  for (const line of proseOf(page)) {
    const blank = line.trim() === "";
    const begins = /^\s*(?:[-*|#>]|\d+\. )/.test(line);
    if (!blank && open && !begins) paragraphs[paragraphs.length - 1] += ` ${line.trim()}`;
    else if (!blank) paragraphs.push(line.trim());
    open = !blank;
  }
  return paragraphs;
}

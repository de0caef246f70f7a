/**
 * Lays the repository's pages out for VitePress, as they lie: site/pages mirrors the checkout, so that links between pages hold.
 * Linked files that are no pages are copied to site/pages/public; a link to a folder becomes its name.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = fileURLToPath(new URL("pages", import.meta.url));

/** Everything that a reader can reach from README.md. */
const folders = ["docs", "bench", "recipes", "studies", "examples", "assets", "integrations"];

rmSync(pages, { recursive: true, force: true });
const files = [
  ...readdirSync(root),
  ...folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((file) => join(folder, file)),
  ),
].filter((file) => file.endsWith(".md"));
const known = new Set(files);
for (const file of files) {
  const target = join(pages, file);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, withLinks(readFileSync(join(root, file), "utf8"), file));
}
console.log(`${files.length} pages`);

/** Links outside code; `page` is where they stand. */
function withLinks(text, page) {
  let isCode = false;
  return text
    .split("\n")
    .map((line) => {
      if (line.startsWith("```")) isCode = !isCode;
      if (isCode) return line;
      return line.replace(/(!?)\[((?:[^\]`]|`[^`]*`)*)\]\(([^)\s]+)\)/g, (link, image, label, to) => {
        if (/^(https?:|mailto:|#)/.test(to)) return link;
        const [path, anchor] = to.split("#");
        const file = normalize(join(dirname(page), path));
        if (known.has(file)) return link;
        const found = join(root, file);
        if (file.startsWith("..") || !existsSync(found) || statSync(found).isDirectory()) return label;
        const copy = join(pages, image ? file : join("public", file));
        mkdirSync(dirname(copy), { recursive: true });
        cpSync(found, copy);
        if (image) return link;
        const url = `/${relative("", file)}${anchor ? `#${anchor}` : ""}`;
        return `<a href="${url}" target="_self">${label.replaceAll("`", "")}</a>`;
      });
    })
    .join("\n");
}

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";

const pages = fileURLToPath(new URL("../pages", import.meta.url));

/** The lists of docs/README.md, which name every page, are the sidebar. */
function sidebar() {
  const groups = [];
  for (const line of readFileSync(`${pages}/docs/README.md`, "utf8").split("\n")) {
    const [, heading] = /^\*\*(.+)\*\*$/.exec(line) ?? [];
    if (heading !== undefined) groups.push({ text: heading, items: [], collapsed: false });
    const [, text, link] = /^- \[([^\]]+)\]\(([^)]+\.md)\)/.exec(line) ?? [];
    if (text !== undefined)
      groups.at(-1).items.push({ text: text.replaceAll("`", ""), link: `/docs/${link}`.replace("/docs/../", "/") });
  }
  return [...groups, { text: "Reference", items: [{ text: "API of the library", link: "/api/overview" }] }];
}

export default defineConfig({
  title: "viva",
  description: "Reinforcement fine-tuning of vision-language models for medical visual question answering",
  srcDir: "pages",
  outDir: "dist",
  cacheDir: ".cache",
  rewrites: (page) => page.replace(/(^|\/)README\.md$/, "$1index.md"),
  // Texts such as <name> are no elements.
  markdown: { html: false, languageAlias: { math: "tex" }, config: allowOwnLinks },
  themeConfig: {
    search: { provider: "local" },
    nav: [
      { text: "Start", link: "/docs/own-data" },
      { text: "Tutorials", link: "/docs/tutorials/" },
      { text: "Commands", link: "/docs/commands" },
      { text: "Recipes", link: "/docs/recipes" },
      { text: "API", link: "/api/overview" },
    ],
    sidebar: sidebar(),
    outline: [2, 3],
  },
});

/** Links to files that are no pages, which gather.mjs wrote as elements. */
function allowOwnLinks(md) {
  md.inline.ruler.before("text", "own_link", (state, silent) => {
    const found = /^<a href="(\/[^"]+)" target="_self">([^<]*)<\/a>/.exec(state.src.slice(state.pos));
    if (found === null) return false;
    if (!silent) {
      const open = state.push("link_open", "a", 1);
      open.attrs = [
        ["href", found[1]],
        ["target", "_self"],
      ];
      state.push("text", "", 0).content = found[2];
      state.push("link_close", "a", -1);
    }
    state.pos += found[0].length;
    return true;
  });
}

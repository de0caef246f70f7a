/** The tools of somebody who reads images: look closer, change the window, measure, compare grey values, look up. */
import * as z from "zod";
import { UserError } from "../core/errors.ts";
import { oneOf, text } from "../core/fields.ts";
import { crop } from "./crop.ts";
import { toolEnvironment } from "./environment.ts";
import type { EnvironmentKind } from "./kind.ts";
import { lookUp } from "./look-up.ts";
import { measure } from "./measure.ts";
import { regionStats } from "./region-stats.ts";
import type { Tool } from "./tool.ts";
import { window } from "./window.ts";

/** Made of the folder of texts, where one is named. */
const tools = {
  crop: () => crop,
  window: () => window,
  measure: () => measure,
  region_stats: () => regionStats,
  look_up: (texts: string | null) => (texts === null ? null : lookUp(texts)),
} as const satisfies Readonly<Record<string, (texts: string | null) => Tool | null>>;

type ToolName = keyof typeof tools;
const names = Object.keys(tools) as [ToolName, ...ToolName[]];

const options = {
  tools: z
    .array(oneOf(...names), { error: `a list of ${names.join(", ")}` })
    .nullable()
    .default(null)
    .describe("The tools offered; null is all, look_up only where texts names a folder."),
  texts: text("a folder").nullable().default(null).describe("Folder of reference texts (.md, .txt) for look_up."),
};

export const viewerTools: EnvironmentKind<typeof options> = {
  options,
  paths: ["texts"],
  async open({ tools: asked, texts }, maxTurns) {
    if (asked?.includes("look_up") && texts === null) {
      throw new UserError("environment viewer_tools: look_up needs texts, a folder of reference texts");
    }
    const made = (asked ?? names).flatMap((name) => tools[name](texts) ?? []);
    return toolEnvironment(made, maxTurns);
  },
};

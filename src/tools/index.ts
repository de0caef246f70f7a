/** The environments by the names that recipes use: a new one is a file and a line here. */
import * as z from "zod";
import { flag, mapping, oneOf, text, whole } from "../core/fields.ts";
import type { Environment } from "./environment.ts";
import type { EnvironmentKind } from "./kind.ts";
import { mcp } from "./mcp.ts";
import { viewerTools } from "./viewer-tools.ts";

export type { Environment } from "./environment.ts";

const kinds = { viewer_tools: viewerTools, mcp } as const;

export type EnvironmentName = keyof typeof kinds;
export const environmentNames = Object.keys(kinds) as [EnvironmentName, ...EnvironmentName[]];

const shared = {
  max_turns: whole({ min: 1 }).default(4).describe("The most turns of a completion, its answer included."),
  turn_length: whole({ min: 1 }).default(64).describe("Tokens after which a turn is cut."),
  describe: flag().default(true).describe("Whether the system message lists the tools."),
  workflow: text("a Markdown file")
    .nullable()
    .default(null)
    .describe("Steps that the system message tells; tools in backticks in numbered steps are required calls."),
};

const [first, ...others] = environmentNames.map((name) =>
  mapping({ name: z.literal(name), ...shared, ...kinds[name].options }),
);

const mappings = z.discriminatedUnion("name", [first!, ...others]);

/** The options of an environment, with defaults; its own beside them. */
export interface EnvironmentSettings {
  readonly name: EnvironmentName;
  readonly max_turns: number;
  readonly turn_length: number;
  readonly describe: boolean;
  readonly workflow: string | null;
}

/** A name, or a mapping of name and options. */
export const environmentSchema: z.ZodType<EnvironmentSettings> = z
  .union([oneOf(...environmentNames), mappings], {
    error: `${environmentNames.join(" or ")}, or a mapping of name and options`,
  })
  .transform((value) => (typeof value === "string" ? mappings.parse({ name: value }) : value));

/** Throws UserError for options that cannot be used. */
export function openEnvironment({ name, ...o }: EnvironmentSettings): Promise<Environment> {
  const kind = kinds[name] as unknown as EnvironmentKind;
  return kind.open(z.object(kind.options).parse(o), o.max_turns);
}

/** Options of an environment that name files or folders. */
export function environmentPaths(name: EnvironmentName): readonly string[] {
  const kind = kinds[name] as unknown as EnvironmentKind;
  return ["workflow", ...(kind.paths ?? [])];
}

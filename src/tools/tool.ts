/** What a tool is: a name, a description, the schema of its arguments, and a pure function of an example and these. */
import * as z from "zod";
import { problemOf } from "../core/issues.ts";
import type { Example, Observation, ToolSpec } from "../core/records.ts";

export interface Tool extends ToolSpec {
  /** An observation for any arguments: what is wrong with them is one, too. */
  run(example: Example, given: unknown): Promise<Observation>;
}

/** Thrown by tools for arguments that cannot be used; what it says becomes the observation. */
export class ToolError extends Error {
  override readonly name = "ToolError";
}

/** A tool's arguments, checked by their schema before it runs. */
export function defineTool<Arguments extends z.ZodRawShape>(
  about: Pick<ToolSpec, "name" | "description">,
  shape: Arguments,
  run: (example: Example, given: z.output<z.ZodObject<Arguments>>) => Promise<Omit<Observation, "isError">>,
): Tool {
  const schema = z.strictObject(shape);
  const { $schema: _, ...parameters } = z.toJSONSchema(schema, { io: "input" });
  return {
    ...about,
    parameters,
    async run(example, given) {
      const checked = schema.safeParse(given);
      if (!checked.success) return errorObservation(`${about.name}: ${wrongArgument(checked.error.issues[0]!)}`);
      try {
        return { ...(await run(example, checked.data as z.output<z.ZodObject<Arguments>>)), isError: false };
      } catch (error) {
        if (error instanceof ToolError) return errorObservation(`${about.name}: ${error.message}`);
        throw error;
      }
    },
  };
}

export function errorObservation(text: string): Observation {
  return { text: `error: ${text}`, isError: true };
}

/** Never the model's own words, which could be anything. */
function wrongArgument(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") return "an argument that it does not have";
  const { path, message } = problemOf(issue);
  const [name] = path;
  return name === undefined ? "the arguments must be an object" : `${String(name)}: ${message}`;
}

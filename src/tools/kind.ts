/** What the table of environments holds: how a recipe's options open one. */
import type * as z from "zod";
import type { Environment } from "./environment.ts";

export interface EnvironmentKind<Options extends z.ZodRawShape = z.ZodRawShape> {
  /** Its own options in a recipe, with defaults. */
  readonly options: Options;
  /** Options that name files or folders: a recipe's are found from the recipe. */
  readonly paths?: readonly (keyof Options & string)[];
  /** Throws UserError for options that it cannot use. */
  open(options: z.output<z.ZodObject<Options>>, maxTurns: number): Promise<Environment>;
}

/** The recipe's schema as JSON Schema: for editors, and to look up the keys known at a path. */
import * as z from "zod";
import { recipeSchema } from "./schema.ts";

export type Schema = Readonly<Record<string, unknown>>;

/** JSON Schema (draft 2020-12) of a recipe file. */
export function recipeJsonSchema(): Schema {
  const schema = z.toJSONSchema(recipeSchema, { io: "input" });
  return { ...schema, title: "viva recipe" };
}

/**
 * The keys known at a path of a recipe, given the values that select among alternatives: a stage's kind, a data set's
 * name.
 */
export function knownKeys(
  path: readonly PropertyKey[],
  recipe: unknown,
  schema: Schema = recipeJsonSchema(),
): readonly string[] {
  let here: readonly Schema[] = [schema];
  let value = recipe;
  for (const part of path) {
    here = alternatives(here, value).flatMap((schema) => below(schema, part));
    value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part];
  }
  return alternatives(here, value).flatMap(({ properties }) => Object.keys(properties ?? {}));
}

/** The plain schemas that can apply to a value, without those whose constant strings it does not match. */
function alternatives(schemas: readonly Schema[], value: unknown): readonly Schema[] {
  return schemas.flatMap((schema): readonly Schema[] => {
    const inner = (schema.anyOf ?? schema.oneOf) as readonly Schema[] | undefined;
    if (inner !== undefined) return alternatives(inner, value);
    return isFor(schema, value) ? [schema] : [];
  });
}

function isFor(schema: Schema, value: unknown): boolean {
  const { properties = {}, required = [] } = schema as {
    readonly properties?: Readonly<Record<string, Schema>>;
    readonly required?: readonly string[];
  };
  return required.every((key) => {
    const { const: only, enum: several = only === undefined ? undefined : [only] } = properties[key] ?? {};
    const given = (value as Readonly<Record<string, unknown>> | null | undefined)?.[key];
    return several === undefined || (several as readonly unknown[]).includes(given);
  });
}

function below(schema: Schema, part: PropertyKey): readonly Schema[] {
  if (typeof part === "number") return schema.items === undefined ? [] : [schema.items as Schema];
  const property = (schema.properties as Record<PropertyKey, Schema> | undefined)?.[part];
  const other = schema.additionalProperties;
  return property !== undefined ? [property] : typeof other === "object" ? [other as Schema] : [];
}

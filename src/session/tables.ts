/** Files that say how patients' tables are told to a model. */

import * as z from "zod";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { type TableFile, tableSchema, withTable } from "../data/prompts/tabular.ts";
import { tellingColumns } from "../evaluate/index.ts";
import { describeProblem } from "../recipes/problems.ts";
import { readYamlFile } from "../recipes/yaml-file.ts";

/** Tells the tables of examples as the file says; what is telling is learned from `train`. Throws UserError. */
export function tableTeller(file: string, train: readonly Example[]): (example: Example) => Example {
  const groups = readTableFile(file);
  const telling = groups.knowledge === 0 ? [] : tellingColumns(train).slice(0, groups.knowledge);
  return (example) => withTable(example, groups, telling);
}

function readTableFile(file: string): TableFile {
  const yaml = readYamlFile(file, "table file");
  const parsed = tableSchema.safeParse(yaml.value);
  if (parsed.success) return parsed.data;
  const schema = { ...z.toJSONSchema(tableSchema, { io: "input" }) };
  const sentence = describeProblem(parsed.error.issues, yaml.value, yaml.origin, schema);
  throw new UserError(sentence.replace("the recipe must", "the table file must"));
}

/** The roles of a dataset audit from a YAML file: language models behind OpenAI-compatible endpoints. */
import * as z from "zod";
import { UserError } from "../core/errors.ts";
import { mapping, number, oneOf, text, whole } from "../core/fields.ts";
import { type DatasetAuditOptions, ROLES, type Roles } from "../evaluate/index.ts";
import { describeProblem } from "../recipes/problems.ts";
import { readYamlFile } from "../recipes/yaml-file.ts";
import { openRewardServices } from "./reward-services.ts";

const role = mapping({
  base_url: text("an address, as http://localhost:8000/v1"),
  model: text("the model's name there"),
  api_key_env: text("the name of an environment variable").nullable().default(null),
  temperature: number({ min: 0 }).default(0),
  max_tokens: whole({ min: 16 }).default(512),
  max_tokens_field: oneOf("max_tokens", "max_completion_tokens").default("max_tokens"),
  timeout_s: number({ above: 0, max: 86_400 }).default(120),
  max_retries: whole({ min: 0 }).default(3),
});

const rolesSchema = mapping({
  stratum: text("the name of a stratum").describe("Whose values are the first categories."),
  seeds: whole({ min: 1 }).default(10).describe("The data's own cases that a category begins with."),
  cases: whole({ min: 1 }).default(30).describe("Cases of a category."),
  categories: whole({ min: 1 }).default(16).describe("Categories at most, those that are proposed included."),
  tries: whole({ min: 0 }).default(3).describe("Proposals for a further category before the audit ends."),
  roles: mapping(Object.fromEntries(ROLES.map((name) => [name, role.nullable().default(null)])))
    .prefault({})
    .describe("By role."),
  default: role.nullable().default(null).describe("For roles that are not named."),
});

export type AuditRoles = Pick<DatasetAuditOptions, "stratum" | "seeds" | "cases" | "categories" | "tries"> & {
  readonly roles: Roles;
  close(): Promise<void>;
};

/** Reads and opens them; replies are kept in `folder`, so that an audit that is repeated goes on. Throws UserError. */
export function openAuditRoles(file: string, folder: string): AuditRoles {
  const yaml = readYamlFile(file, "file of roles");
  const parsed = rolesSchema.safeParse(yaml.value);
  if (!parsed.success) {
    const schema = z.toJSONSchema(rolesSchema, { io: "input" });
    const sentence = describeProblem(parsed.error.issues, yaml.value, yaml.origin, schema);
    throw new UserError(sentence.replace("the recipe must", "the file of roles must"));
  }
  const { roles: named, default: other, ...options } = parsed.data;
  const services = openRewardServices(folder);
  const roles = ROLES.map((name) => {
    const found = (named as Readonly<Record<string, z.output<typeof role> | null>>)[name] ?? other;
    if (found === null) throw new UserError(`${file}: roles.${name} is missing, and there is no default`);
    const chat = services.openChat({
      ...{ baseUrl: found.base_url, model: found.model, apiKeyEnv: found.api_key_env, cache: null },
      ...{ timeoutSeconds: found.timeout_s, maxRetries: found.max_retries, maxConcurrency: 4 },
      ...{ maxTokens: found.max_tokens, maxTokensField: found.max_tokens_field, temperature: found.temperature },
    });
    return [name, chat] as const;
  });
  return { ...options, roles: Object.fromEntries(roles) as unknown as Roles, close: services.close };
}

/** The kinds of YAML file that commands run, each known by a key that no other kind has: one is easily named for another. */
import { UserError } from "../core/errors.ts";

const kinds = {
  recipe: { key: "stages", says: (file: string) => `a recipe: viva train ${file} runs it` },
  study: { key: "arms", says: (file: string) => `a study: viva study ${file} --plan says what it takes` },
  federation: { key: "clients", says: (file: string) => `a federation of sites: viva federate ${file} trains it` },
} as const;

/** UserError for a file of another kind, which says what runs it. */
export function requireKind(value: unknown, file: string, wanted: keyof typeof kinds): void {
  const keys = typeof value === "object" && value !== null ? Object.keys(value) : [];
  for (const [kind, { key, says }] of Object.entries(kinds))
    if (kind !== wanted && keys.includes(key)) throw new UserError(`${file} is no ${wanted} but ${says(file)}`);
}

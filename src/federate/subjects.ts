/** No subject, nor image, may be at two sites: it would count twice, and one site's test could be what another trained on. */
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { describeOverlap, overlapOf } from "../data/index.ts";
import { loadExamples } from "../session/examples.ts";
import { locateRecipe } from "../session/recipe-sources.ts";
import { isMistake, refuseOverlap } from "../session/shared-subjects.ts";
import type { SourceOptions } from "../session/sources.ts";
import type { Federation } from "./load.ts";

/** Reads the data of all sites; UserError with the ids where two share a subject, or a site with what is evaluated. */
export async function requireDisjoint({ clients, evaluation }: Federation, o: SourceOptions): Promise<void> {
  const read: { readonly name: string; readonly examples: readonly Example[] }[] = [];
  for (const { name, recipe } of clients) {
    const { local } = await locateRecipe(recipe, o);
    const { examples } = await loadExamples(local.data.train, local);
    if (examples.length === 0) throw new UserError(`${name}: data.train has no examples to train on`);
    for (const other of read) {
      const shared = overlapOf(other.examples, examples);
      if (shared === null) continue;
      throw new UserError(
        `the sites ${other.name} and ${name} share ${describeOverlap(shared)}: a subject belongs to one site`,
      );
    }
    read.push({ name, examples });
  }
  if (evaluation === null) return;
  const { local } = await locateRecipe({ ...clients[0]!.recipe, data: evaluation.data }, o);
  const { examples } = await loadExamples(local.data.eval!, local);
  for (const site of read) {
    const shared = overlapOf(site.examples, examples);
    if (shared !== null && isMistake(local)) {
      refuseOverlap(shared, `data.eval, at the site ${site.name},`, "data.allow_overlap: true");
    }
  }
}

/**
 * Writes assets/vocabulary.json from public sources and the project's own radiology.yaml:
 *   npx tsx scripts/build-vocabulary.ts ../shared/vocab ../shared/data/slake assets/vocabulary.json
 * A term claimed by several concepts keeps its first owner (own terms, then CheXpert, SLAKE, the Disease Ontology), and a
 * term composed of others ("lung cancer" = lung + cancer) is omitted, so that "cancer of the lung" matches the same.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import {
  type Category,
  categories,
  parseVocabulary,
  termStems,
  triggerKinds,
} from "../src/answers/concepts/vocabulary.ts";
import { chexpertTerms, negexTriggers, ontologyTerms, slakeTerms, type Terms } from "./vocabulary/sources.ts";

interface Own {
  readonly [category: string]: Record<string, readonly string[] | null>;
}

const [vocab = "../shared/vocab", slake = "../shared/data/slake", out = "assets/vocabulary.json"] =
  process.argv.slice(2);
const own = parse(readFileSync(join(import.meta.dirname, "vocabulary/radiology.yaml"), "utf8")) as Own;
const skipped = own.skipped as unknown as readonly string[];
const list = (key: string) => own[key] as unknown as readonly string[];

/** Terms by concept, in order of addition, and each term's owner. */
const concepts = Object.fromEntries(categories.map((category) => [category, new Map<string, string[]>()])) as Record<
  Category,
  Map<string, string[]>
>;
const owners = new Map<string, { readonly category: Category; readonly id: string }>();
const key = (term: string) => termStems(term, skipped).join(" ");

for (const category of categories) {
  for (const [id, synonyms] of Object.entries(own[category] ?? {})) add(category, [id, ...(synonyms ?? [])], true);
}
for (const terms of chexpertTerms(join(vocab, "chexpert_labeler"))) add("finding", terms);
const graph = slakeTerms(slake);
if (graph === null) throw new Error(`${slake} has no KG folder: the shipped vocabulary needs SLAKE's knowledge graph`);
for (const terms of graph.organ) add("organ", terms);
for (const terms of graph.disease) add("disease", terms);
for (const terms of ontologyTerms(join(vocab, "disease_ontology"))) add("disease", terms);

function add(category: Category, terms: Terms, isOwn = false): void {
  const known = terms.map(key).find((stems) => owners.has(stems));
  const [name = ""] = terms;
  if (known === undefined && (terms.length === 0 || (!isOwn && isCompound(key(name))))) return;
  const home = known === undefined ? { category, id: name } : owners.get(known)!;
  if (known === undefined) {
    concepts[category].set(name, []);
    owners.set(key(name), home);
  }
  for (const term of terms) {
    const stems = key(term);
    if (stems === "" || owners.has(stems) || (!isOwn && isCompound(stems))) continue;
    owners.set(stems, home);
    concepts[home.category].get(home.id)!.push(term);
  }
}

/** Whether known shorter terms cover all significant words of a term. */
function isCompound(stems: string): boolean {
  const words = stems.split(" ").filter((word) => !["of", "in", "and"].includes(word));
  const covers = (from: number): boolean =>
    from === words.length ||
    words.some((_, to) => {
      if (to < from || to - from + 1 === words.length) return false;
      return owners.has(words.slice(from, to + 1).join(" ")) && covers(to + 1);
    });
  return words.length > 1 && covers(0);
}

const negex = negexTriggers(join(vocab, "negex"));
const extra = own.triggers as unknown as Readonly<Record<string, readonly string[]>>;
const seen = list("seen");
const tags = {
  before: "PREN",
  after: "POST",
  maybe_before: "PREP",
  maybe_after: "POSP",
  pseudo: "PSEU",
  end: "CONJ",
} as const;
const denied = seen.flatMap((word) => ["not", "no longer", "never"].map((no) => `${no} ${word}`));
const claimed = new Set(Object.values(extra).flat());
const triggers = Object.fromEntries(
  triggerKinds.map((kind) => {
    const theirs = (negex.get(tags[kind]) ?? []).filter((phrase) => !claimed.has(phrase));
    return [kind, [...(extra[kind] ?? []), ...theirs, ...(kind === "after" ? denied : [])]];
  }),
);

const file = {
  format: "viva-vocabulary-1",
  sources: [
    { name: "viva", licence: "Apache-2.0", from: "scripts/vocabulary/radiology.yaml" },
    { name: "CheXpert labeler", licence: "MIT", from: "stanfordmlgroup/chexpert-labeler@44ddeb3: phrases/mention" },
    { name: "NegEx", licence: "Apache-2.0", from: "chapmanbe/negex@d136b97: negex_triggers.txt" },
    { name: "Disease Ontology", licence: "CC0-1.0", from: "DiseaseOntology/HumanDiseaseOntology@9fbefd6" },
    {
      name: "SLAKE 1.0 knowledge graph",
      licence: "CC-BY-4.0",
      from: "Liu et al., ISBI 2021; organs and diseases with aliases",
    },
  ],
  concepts: Object.fromEntries(categories.map((category) => [category, Object.fromEntries(concepts[category])])),
  single: list("single"),
  sideless: list("sideless"),
  expansions: own.expansions,
  skipped,
  triggers,
};
parseVocabulary(file, out);
const text = JSON.stringify(file, null, 1).replace(
  /\[\n\s+([^[\]]*?)\n\s+\]/g,
  (_, items: string) => `[${items.replace(/\n\s+/g, " ")}]`,
);
writeFileSync(out, `${text}\n`);
const sizes = categories.map((category) => `${concepts[category].size} ${category}`).join(", ");
console.log(`${out}: ${sizes}; ${owners.size} terms, ${Math.round(text.length / 1024)} KB`);

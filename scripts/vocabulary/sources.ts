/** Reads the public sources of the vocabulary: CheXpert's phrases, NegEx's triggers, the Disease Ontology, SLAKE's graph. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Terms of one concept; the first is its name. */
export type Terms = readonly string[];

/** Findings covered by CheXpert's mention lists; stems ("atelecta") and phrases that assert nothing are omitted. */
const CHEXPERT: Readonly<Record<string, string>> = {
  edema: "heart failure",
  lung_lesion: "nodule",
  lung_opacity: "opacity",
  pleural_effusion: "pleural effusion",
  pleural_other: "fibrosis",
  pneumothorax: "pneumothorax",
  support_devices: "support device",
};
const CHEXPERT_PHRASES: readonly string[] = [
  "chf",
  "nodular density",
  "nodular opacity",
  "nodular opacification",
  "air-space disease",
  "decreased translucency",
  "increased density",
  "pleural fluid",
  "fibrothorax",
  "pneumothoraces",
  "device",
  "equipment",
];

/** Phrases of CheXpert's labeler by concept. */
export function chexpertTerms(folder: string): readonly Terms[] {
  return Object.entries(CHEXPERT).map(([file, concept]) => {
    const phrases = lines(join(folder, "phrases", "mention", `${file}.txt`));
    return [concept, ...phrases.filter((phrase) => CHEXPERT_PHRASES.includes(phrase))];
  });
}

/** NegEx's triggers by tag: PREN, POST, PREP, POSP, PSEU, CONJ. */
export function negexTriggers(folder: string): ReadonlyMap<string, readonly string[]> {
  const byTag = new Map<string, string[]>();
  for (const line of lines(join(folder, "negex_triggers.txt"))) {
    const [phrase = "", tag = ""] = line.split(/\t+/).map((part) => part.trim());
    const name = tag.replace(/[[\]]/g, "");
    byTag.set(name, [...(byTag.get(name) ?? []), phrase]);
  }
  return byTag;
}

interface OntologyTerm {
  readonly name: string;
  readonly synonyms: readonly string[];
  readonly subsets: readonly string[];
}

/**
 * Diseases that an image can show: the ontology's non-rare terms with plain names. Omitted are names with digits or
 * more than four words, and abbreviations, many of which are words or ambiguous in a report.
 */
export function ontologyTerms(folder: string): readonly Terms[] {
  const terms = JSON.parse(readFileSync(join(folder, "do_terms_with_synonyms.json"), "utf8")) as OntologyTerm[];
  const common = terms.filter(
    ({ subsets }) => !subsets.includes("DO_rare_slim") && !subsets.includes("DO_FlyBase_slim"),
  );
  return common
    .map(({ name, synonyms }) => [name, ...synonyms])
    .filter(([name]) => isPlain(name!))
    .map((all) => all.filter(isPlain));
}

/** SLAKE's diseases and organs with their aliases; null without the data set. */
export function slakeTerms(
  folder: string,
): { readonly disease: readonly Terms[]; readonly organ: readonly Terms[] } | null {
  const graph = join(folder, "KG");
  if (!existsSync(graph)) return null;
  const read = (file: string): readonly Terms[] => {
    const terms = new Map<string, string[]>();
    for (const line of lines(join(graph, file)).slice(1)) {
      const [name = "", attribute = "", value = ""] = line.split("#");
      const known = terms.get(name) ?? [name.toLowerCase()];
      if (attribute === "alias") known.push(...value.split(",").map((alias) => alias.trim().toLowerCase()));
      terms.set(name, known);
    }
    return [...terms.values()].map((all) => all.filter(isPlain)).filter((all) => all.length > 0);
  };
  return { disease: read("en_disease.csv"), organ: read("en_organ.csv") };
}

function isPlain(term: string): boolean {
  const words = term.split(" ").length;
  return term.length > 4 && words <= 4 && !/[\d(),/]/.test(term) && !GENERIC.test(term);
}

/** Names that only say that something is abnormal. */
const GENERIC =
  /^(?:(?:genetic |physical |monogenic |inherited |acquired |mental |organ system )?(?:disease|disorder|syndrome)|disease (?:of|by) .*|.* (?:process|system) (?:disease|disorder))$|trouble|etc\./i;

function lines(file: string): readonly string[] {
  return readFileSync(file, "utf8")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** What the names of facts mean in the vocabulary's concepts: what a finding may be called, where it lies, what is beyond checking. */

interface Meaning {
  /** Concepts that name it rightly. */
  readonly is: readonly string[];
  /** Readings that the image neither proves nor refutes. */
  readonly open: readonly string[];
  /** Organs that it is in. */
  readonly organs: readonly string[];
}

const list = (text: string): readonly string[] => (text === "" ? [] : text.split(", "));
const mean = (is: string, open: string, organs: string): Meaning => {
  return { is: list(is), open: list(open), organs: list(organs) };
};

const focal = "mass, cyst, tumor, cancer, metastasis, abscess, nodule, hemangioma, liver cancer";

/** What a question of the phantoms tells apart (an opacity from an effusion) is never an open reading of the other. */
const meanings: Readonly<Record<string, Meaning>> = {
  opacity: mean("opacity, consolidation, infiltrate", "pneumonia, atelectasis, infection, lesion, edema, mass", "lung"),
  consolidation: mean("consolidation, opacity, infiltrate", "pneumonia, atelectasis, infection, lesion, mass", "lung"),
  nodule: mean("nodule, lesion", "mass, tumor, cancer, granuloma, metastasis", "lung"),
  "pleural effusion": mean("pleural effusion", "atelectasis", "lung, pleura"),
  pneumothorax: mean("pneumothorax", "atelectasis", "lung, pleura"),
  cardiomegaly: mean("cardiomegaly", "heart failure", "heart"),
  "liver lesion": mean("lesion", focal, "liver"),
  "splenic lesion": mean("lesion", focal, "spleen"),
  "kidney lesion": mean("lesion", focal, "kidney"),
  "kidney stone": mean("stone, calcification", "", "kidney"),
  ascites: mean("ascites", "", "abdomen"),
  "ring-enhancing lesion": mean(
    "ring-enhancing lesion, lesion",
    `${focal}, glioblastoma, infection, necrosis`,
    "brain",
  ),
  hemorrhage: mean("hemorrhage, hematoma", "lesion", "brain"),
  infarct: mean("infarct, ischemia", "lesion", "brain"),
  "subdural hematoma": mean("subdural hematoma, hematoma, hemorrhage", "", "brain"),
  "midline shift": mean("midline shift", "", "brain"),
  hydrocephalus: mean("hydrocephalus, dilatation", "", "brain, ventricle"),
};

/** The meaning of a fact's name; a name of no entry means the concept of that name. */
export function meaningOf(finding: string): Meaning {
  return meanings[finding] ?? { is: [finding], open: [], organs: [] };
}

/** Descriptions and consequences that no fact settles. */
export const DESCRIPTIONS: ReadonlySet<string> = new Set(
  list(
    "enhancement, hyperdense, hypodense, hyperintense, hypointense, edema, mass effect, thickening, inflammation, degeneration, support device, normal, abnormality, scar",
  ),
);

/** Concepts of places as facts name them. */
export const PLACES: ReadonlyMap<string, string> = new Map([
  ["upper lobe", "upper zone"],
  ["middle lobe", "middle zone"],
  ["lower lobe", "lower zone"],
  ...["frontal lobe", "parietal lobe", "occipital lobe", "temporal lobe", "cerebellum"].map((p) => [p, p] as const),
  ...["liver", "spleen", "kidney", "pancreas", "stomach"].map((p) => [p, p] as const),
  ["anterior", "anterior"],
  ["posterior", "posterior"],
]);

const regions: Readonly<Record<string, string>> = {
  chest: "chest, lung, heart, mediastinum, diaphragm, hilum, trachea, pleura",
  abdomen: "abdomen, liver, spleen, kidney, stomach, pancreas, bowel, gallbladder",
  head: "head, brain, skull, ventricle, cerebellum, cerebral hemisphere",
  pelvis: "pelvis, bladder, prostate, uterus",
  neck: "neck, thyroid",
  knee: "knee",
};

const REGIONS: ReadonlyMap<string, string> = new Map(
  Object.entries(regions).flatMap(([region, organs]) => list(organs).map((organ) => [organ, region] as const)),
);

/** The region of the body that an organ is in; undefined for those in several or none. */
export function regionOf(organ: string): string | undefined {
  return REGIONS.get(organ);
}

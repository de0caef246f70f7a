/** The views of the phantom world, and for each view its possible findings with all their possible places. */

/** The patient's side: the patient's right is on the image's left. */
export type Side = "left" | "right";
export const SIDES: readonly Side[] = ["left", "right"];

export type ViewName = "chest_xray" | "chest_ct" | "abdomen_ct" | "brain_axial" | "brain_coronal" | "brain_sagittal";
export type Sequence = "t1" | "t2" | "flair";
export const SEQUENCES: readonly Sequence[] = ["t1", "t2", "flair"];

/** A possible place of a finding, in body coordinates of the view. */
export interface Site {
  readonly side: Side | null;
  /** Name of the place, without side: "upper zone", "frontal lobe", "liver". */
  readonly place: string | null;
  readonly u: number;
  readonly v: number;
  /** Maximum deviation of the centre from (u, v). */
  readonly jitterU: number;
  readonly jitterV: number;
  /** Parts of the view that it occupies; findings never share one. */
  readonly takes: readonly string[];
}

export interface FindingKind {
  /** As named in questions and answers. */
  readonly name: string;
  readonly plural: string;
  /** Smallest and largest radius in body units. */
  readonly radius: readonly [number, number];
  readonly sites: readonly Site[];
  /** Whether an image can have several, to be counted and compared. */
  readonly countable: boolean;
  /** Findings that are easily confused with it. */
  readonly resembles: readonly string[];
  /** The more general finding of which this is a kind: where this is present, that one cannot be denied. */
  readonly kindOf?: string;
}

export interface View {
  readonly name: ViewName;
  readonly modality: "x-ray" | "ct" | "mri";
  readonly plane: "axial" | "coronal" | "sagittal";
  readonly organ: "chest" | "abdomen" | "head";
  /** "chest radiograph". */
  readonly title: string;
  /** Width of the image in millimetres. */
  readonly fieldOfView: number;
  /** Anatomy that can be visible, as named in the vocabulary. */
  readonly anatomy: readonly string[];
  readonly findings: readonly FindingKind[];
}

/** Both sides of a place; the patient's right is at negative u. */
function pair(place: string | null, u: number, v: number, jitter: readonly [number, number], takes: readonly string[]) {
  return SIDES.map((side): Site => {
    const named = takes.map((part) => `${side} ${part}`);
    return { side, place, u: side === "right" ? -u : u, v, jitterU: jitter[0], jitterV: jitter[1], takes: named };
  });
}

function single(place: string | null, u: number, v: number, jitter: number, takes: string): Site {
  return { side: null, place, u, v, jitterU: jitter, jitterV: jitter, takes: [takes] };
}

function kind(
  name: string,
  plural: string,
  radius: readonly [number, number],
  sites: readonly Site[],
  resembles: readonly string[],
  countable = false,
): FindingKind {
  return { name, plural, radius, sites, resembles, countable };
}

const filmZones = [
  ...pair("upper zone", 0.4, -0.48, [0.06, 0.05], ["upper"]),
  ...pair("middle zone", 0.47, -0.1, [0.07, 0.05], ["middle"]),
  ...pair("lower zone", 0.52, 0.24, [0.05, 0.04], ["lower"]),
];
const filmEffusion = pair(null, 0.48, 0.4, [0, 0], ["lower"]);
const filmPneumothorax = pair(null, 0.5, -0.35, [0, 0], ["upper", "middle"]);

const ctZones = [
  ...pair("anterior", 0.47, -0.24, [0.05, 0.03], ["anterior"]),
  ...pair("posterior", 0.46, 0.12, [0.06, 0.03], ["posterior"]),
];

const liverSites = [
  single("liver", -0.55, -0.12, 0.03, "liver 1"),
  single("liver", -0.24, -0.27, 0.03, "liver 2"),
  single("liver", -0.54, 0.14, 0.03, "liver 3"),
];
const kidneySites = pair("kidney", 0.42, 0.27, [0.015, 0.03], ["kidney"]);

const lobes = [
  ...pair("frontal lobe", 0.27, -0.46, [0.03, 0.04], ["frontal"]),
  ...pair("parietal lobe", 0.42, 0.06, [0.02, 0.05], ["parietal"]),
  ...pair("occipital lobe", 0.27, 0.52, [0.03, 0.03], ["occipital"]),
];

const brainAnatomy =
  "brain, head, skull, ventricle, white matter, cerebral hemisphere, frontal lobe, parietal lobe, occipital lobe, lobe";

function brain(plane: View["plane"], findings: readonly FindingKind[]): View {
  const anatomy = [...brainAnatomy.split(", "), ...(plane === "axial" ? [] : ["cerebellum", "brainstem"])];
  const title = `${plane} brain MRI`;
  return { name: `brain_${plane}`, modality: "mri", plane, organ: "head", title, fieldOfView: 230, anatomy, findings };
}

/** Every view, by its name. */
export const views: Readonly<Record<ViewName, View>> = {
  chest_xray: {
    name: "chest_xray",
    modality: "x-ray",
    plane: "coronal",
    organ: "chest",
    title: "chest radiograph",
    fieldOfView: 350,
    anatomy:
      "chest, lung, heart, mediastinum, diaphragm, rib, spine, clavicle, trachea, aorta, pleura, hilum, upper lobe, lower lobe, middle lobe".split(
        ", ",
      ),
    findings: [
      kind("opacity", "opacities", [0.15, 0.22], filmZones, ["nodule", "pleural effusion"]),
      kind("nodule", "nodules", [0.06, 0.1], filmZones, ["opacity"], true),
      kind("pleural effusion", "pleural effusions", [0.2, 0.4], filmEffusion, ["opacity"]),
      kind("pneumothorax", "pneumothoraces", [0.16, 0.28], filmPneumothorax, ["nodule"]),
      kind("cardiomegaly", "", [0.4, 0.5], [single(null, 0.1, 0.25, 0, "heart")], ["pleural effusion"]),
    ],
  },
  chest_ct: {
    name: "chest_ct",
    modality: "ct",
    plane: "axial",
    organ: "chest",
    title: "chest CT",
    fieldOfView: 360,
    anatomy: "chest, lung, heart, mediastinum, rib, spine, aorta, pleura, trachea".split(", "),
    findings: [
      kind("nodule", "nodules", [0.055, 0.1], ctZones, ["consolidation"], true),
      kind("consolidation", "consolidations", [0.13, 0.18], ctZones, ["nodule", "pleural effusion"]),
      kind("pleural effusion", "pleural effusions", [0.12, 0.2], pair(null, 0.48, 0.35, [0, 0], ["posterior"]), [
        "consolidation",
      ]),
      kind("pneumothorax", "pneumothoraces", [0.12, 0.2], pair(null, 0.45, -0.35, [0, 0], ["anterior"]), ["nodule"]),
    ],
  },
  abdomen_ct: {
    name: "abdomen_ct",
    modality: "ct",
    plane: "axial",
    organ: "abdomen",
    title: "abdominal CT",
    fieldOfView: 380,
    anatomy: "abdomen, liver, spleen, kidney, stomach, spine, aorta, pancreas, bowel, rib, gallbladder, vein".split(
      ", ",
    ),
    findings: [
      kind("liver lesion", "liver lesions", [0.07, 0.12], liverSites, ["splenic lesion", "kidney lesion"], true),
      kind(
        "splenic lesion",
        "splenic lesions",
        [0.06, 0.085],
        [single("spleen", 0.68, 0.02, 0.02, "spleen")],
        ["liver lesion", "kidney lesion"],
      ),
      kind("kidney lesion", "kidney lesions", [0.07, 0.1], kidneySites, ["kidney stone", "liver lesion"]),
      kind("kidney stone", "kidney stones", [0.026, 0.04], kidneySites, ["kidney lesion"]),
      kind("ascites", "", [0.06, 0.1], [single(null, 0, 0, 0, "cavity")], ["liver lesion"]),
    ],
  },
  brain_axial: brain("axial", [
    kind("ring-enhancing lesion", "ring-enhancing lesions", [0.12, 0.18], lobes, ["hemorrhage", "infarct"], true),
    kind("hemorrhage", "hemorrhages", [0.12, 0.18], lobes, ["ring-enhancing lesion", "infarct"]),
    kind("infarct", "infarcts", [0.17, 0.23], lobes, ["hemorrhage"]),
    {
      ...kind(
        "subdural hematoma",
        "subdural hematomas",
        [0.09, 0.15],
        pair(null, 0.62, 0, [0, 0], ["convexity", "parietal"]),
        ["infarct", "midline shift"],
      ),
      kindOf: "hemorrhage",
    },
    kind("midline shift", "", [0.07, 0.12], pair(null, 0, 0, [0, 0], ["midline"]).map(onMidline), ["hydrocephalus"]),
    kind("hydrocephalus", "", [1.6, 2], [single(null, 0, 0, 0, "midline")], ["midline shift"]),
  ]),
  brain_coronal: brain("coronal", []),
  brain_sagittal: brain("sagittal", []),
};

/** There is at most one finding of the midline. */
function onMidline(site: Site): Site {
  return { ...site, takes: ["midline"] };
}

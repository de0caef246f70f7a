/**
 * The dials of the phantom world: options that all its data sets have beside difficulty and image size. Each is off by
 * default and changes nothing then; what it draws depends on its own key, so turning one leaves the others' draws alone.
 */
import * as z from "zod";
import { flag, number, whole } from "../../../../core/fields.ts";
import { fold, type RandomKey, uniform } from "../../../../core/random.ts";
import { SITES, type Site } from "./site.ts";

const ORGANS = ["chest", "abdomen", "head"] as const;
const MODALITIES = ["x-ray", "ct", "mri"] as const;

/** Options by their names in recipes. */
export const dialOptions = {
  question_prior: number({ min: 0, max: 1 })
    .nullable()
    .default(null)
    .describe("Share of answers that the question alone predicts, where it is above chance; null is chance."),
  findings: whole({ min: 0, max: 6 })
    .nullable()
    .default(null)
    .describe(
      "An image shows up to this many findings, as many as the question needs or more; null is up to one more.",
    ),
  measured: flag()
    .default(false)
    .describe("Findings have densities of 0.6 to 1; facts state size_mm and density of each, images their spacing."),
  small_nodules: flag().default(false).describe("Nodules are 3 to 6 pixels across at 112 pixels."),
  high_resolution: flag()
    .default(false)
    .describe("Each image comes with the original of 448 pixels of which it is the smaller view."),
  subgroup: number({ min: 0, max: 1 })
    .nullable()
    .default(null)
    .describe("Share of patients in a subgroup whose findings are fainter; null is none."),
  subgroup_contrast: number({ min: 0, max: 1 })
    .default(0.5)
    .describe("Contrast of the subgroup's findings; 1 is full."),
  site: z
    .union([z.literal("mixed"), z.literal(SITES)], { error: "mixed or 1, 2, 3, 4" })
    .nullable()
    .default(null)
    .describe("The scanner's style: mixed is four sites in turn, a number that site's patients alone; null is none."),
  modality: z
    .enum(MODALITIES, { error: MODALITIES.join(", ") })
    .nullable()
    .default(null)
    .describe("Only images of this modality; null is all."),
  organ: z
    .enum(ORGANS, { error: ORGANS.join(", ") })
    .nullable()
    .default(null)
    .describe("Only images of this organ; null is all."),
};

export type Dials = z.output<z.ZodObject<typeof dialOptions>>;

/** All dials off. */
export const DIALS_OFF: Dials = z.object(dialOptions).parse({});

/** What the dials say of the patient at an index. */
export interface PatientDials {
  /** Null without the dial. */
  readonly site: Site | null;
  /** Contrast of the patient's findings. */
  readonly contrast: number;
  /** Strata for `meta`: only of dials that are on. */
  readonly meta: Readonly<Record<string, string>>;
}

export function patientDials(dials: Dials, index: number, key: RandomKey): PatientDials {
  const site = dials.site === null ? null : siteAt(index);
  const isFaint = dials.subgroup !== null && uniform(fold(key, "subgroup"), 0) < dials.subgroup;
  return {
    site,
    contrast: isFaint ? dials.subgroup_contrast : 1,
    meta: {
      ...(site === null ? {} : { site: String(site) }),
      ...(dials.subgroup === null ? {} : { subgroup: isFaint ? "faint" : "usual" }),
    },
  };
}

/** Whether the patient at an index belongs to the site that is asked for: each site has every fourth patient. */
export function isOfSite({ site }: Dials, index: number): boolean {
  return site === null || site === "mixed" || siteAt(index) === site;
}

/** A part of an example's id for every dial that changes its image or question; "" with all off. */
export function dialId(dials: Dials): string {
  const { subgroup, subgroup_contrast } = dials;
  const parts = [
    dials.question_prior === null ? "" : `prior${dials.question_prior}`,
    dials.findings === null ? "" : `findings${dials.findings}`,
    dials.measured ? "measured" : "",
    dials.small_nodules ? "small" : "",
    dials.high_resolution ? "high" : "",
    subgroup === null ? "" : `subgroup${subgroup}x${subgroup_contrast}`,
    dials.site === null ? "" : "sites",
  ];
  return parts.map((part) => (part === "" ? "" : `/${part}`)).join("");
}

function siteAt(index: number): Site {
  return SITES[index % SITES.length]!;
}

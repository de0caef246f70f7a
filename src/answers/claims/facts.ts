/** What is known about an image, as claims are checked against it; read from an example's facts. */
import { z } from "zod";
import type { Facts } from "../../core/records.ts";

const findingFacts = z.object({
  finding: z.string(),
  side: z.enum(["left", "right"]).optional(),
  place: z.string().optional(),
  radius: z.number().optional(),
  size_mm: z.number().optional(),
});

const imageFacts = z.object({
  modality: z.string(),
  plane: z.string().optional(),
  /** Region of the body. */
  organ: z.string(),
  sequence: z.string().optional(),
  anatomy: z.array(z.string()).optional(),
  /** All there are: what is not listed is not there. */
  findings: z.array(findingFacts),
  /** An earlier image of the same patient. */
  earlier: z.object({ findings: z.array(findingFacts) }).optional(),
  /** Age, sex and laboratory values. */
  table: z.record(z.string(), z.union([z.number(), z.string()])).optional(),
});

export type FindingFacts = z.output<typeof findingFacts>;
export type ImageFacts = z.output<typeof imageFacts>;

/** The facts of an image; null where an example has none, or none in this form. */
export function readFacts(facts: Facts | undefined): ImageFacts | null {
  const read = imageFacts.safeParse(facts);
  return read.success ? read.data : null;
}

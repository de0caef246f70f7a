/** The reference reasoning of a scene: true statements, from general to specific, in checkable words. */
import type { Finding, Scene } from "./scene.ts";
import { SIDES } from "./views.ts";

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six"];

/**
 * States the kind of image, every finding with its place, counts and comparisons, and the absence of what is asked
 * about.
 */
export function rationaleOf({ view, sequence, findings }: Scene, about: string | null): string {
  const statements = [whatItIs(view.name, view.plane, sequence)];
  const names = [...new Set(findings.map(({ kind }) => kind.name))];
  for (const name of names) {
    const same = findings.filter(({ kind }) => kind.name === name);
    if (same.length > 1) statements.push(`There are ${NUMBERS[same.length]} ${same[0]!.kind.plural}.`);
    // Several lesions of one liver have no place that distinguishes them.
    if (same.length === 1 || same[0]!.site.side !== null) statements.push(...same.map(whereItIs));
    const larger = largerSide(same);
    if (larger !== null) {
      const other = larger === "left" ? "right" : "left";
      statements.push(`The ${name} on the ${larger} is larger than the ${name} on the ${other}.`);
    }
  }
  if (about !== null && !names.includes(about)) statements.push(`There is no ${about}.`);
  if (about === null && findings.length === 0) statements.push("No abnormality is seen.");
  return statements.join(" ");
}

/** "This is an axial CT of the chest." */
export function whatItIs(view: Scene["view"]["name"], plane: string, sequence: Scene["sequence"]): string {
  if (view === "chest_xray") return "This is a frontal radiograph of the chest.";
  if (view === "chest_ct") return "This is an axial CT of the chest.";
  if (view === "abdomen_ct") return "This is an axial CT of the abdomen.";
  const weighting = sequence === "flair" ? "FLAIR" : `${sequence!.toUpperCase()}-weighted`;
  return `This is ${plane === "axial" ? "an" : "a"} ${plane} ${weighting} MRI of the head.`;
}

function whereItIs({ kind, site }: Finding): string {
  const { side, place } = site;
  const name = /^[aeiou]/.test(kind.name) ? `an ${kind.name}` : `a ${kind.name}`;
  if (kind.name === "midline shift") return `There is a midline shift to the ${side}.`;
  if (kind.plural === "") return `There is ${kind.name}.`;
  if (place === null) return `There is a ${side} ${kind.name}.`;
  if (side === null) return `There is ${name}.`;
  if (place === "anterior" || place === "posterior") return `The ${side} lung shows ${name} in its ${place} part.`;
  if (place.endsWith("zone")) return `The ${side} lung shows ${name} in its ${place}.`;
  return `There is ${name} in the ${side} ${place}.`;
}

/** The side with the larger of two findings, one on each side; null if there is no such pair. */
function largerSide(same: readonly Finding[]): "left" | "right" | null {
  const [left, right] = SIDES.map((side) => same.filter(({ site }) => site.side === side));
  if (same.length !== 2 || left!.length !== 1 || right!.length !== 1) return null;
  const difference = left![0]!.radius / right![0]!.radius;
  return difference > 1.15 ? "left" : difference < 1 / 1.15 ? "right" : null;
}

/**
 * Measured lesions: which ones a patient has, at one date or two, and how they become findings of an image. Positions
 * belong to the patient, so a lesion lies at the same place of the body at both dates.
 */
import { fold, integer, permutation, type RandomKey } from "../../../core/random.ts";
import type { Pose } from "../world/canvas.ts";
import { draws } from "../world/draws.ts";
import type { Finding } from "../world/scene.ts";
import { type FindingKind, type Site, type View, views } from "../world/views.ts";

export const DEEP_VIEWS = ["chest_xray", "chest_ct", "brain_axial"] as const;
export type DeepView = (typeof DEEP_VIEWS)[number];

/** What a view's lesions are called, and the other finding that lies in the same places. */
export interface Lesions {
  readonly view: View;
  readonly kind: FindingKind;
  readonly noun: string;
  readonly plural: string;
  readonly other: FindingKind;
  /** What the places are called together. */
  readonly places: string;
}

function lesions(name: DeepView, target: string, noun: string, other: string, places: string): Lesions {
  const view = views[name];
  const named = (wanted: string) => view.findings.find((kind) => kind.name === wanted)!;
  return { view, kind: named(target), noun, plural: `${noun}s`, other: named(other), places };
}

export const lesionsOf: Readonly<Record<DeepView, Lesions>> = {
  chest_xray: lesions("chest_xray", "nodule", "nodule", "opacity", "zones"),
  chest_ct: lesions("chest_ct", "nodule", "nodule", "consolidation", "parts"),
  brain_axial: lesions("brain_axial", "ring-enhancing lesion", "ring-enhancing lesion", "hemorrhage", "lobes"),
};

/** Smallest and largest diameter of a lesion in millimetres. */
export const LEAST_MM = 8;
export const MOST_MM = 44;

/** Something at a place; millimetres across for lesions, null for findings without a measure. */
export interface Placed {
  readonly kind: FindingKind;
  readonly site: Site;
  readonly mm: number | null;
}

/** The sites of a view's lesions in random order. */
export function shuffledSites({ kind }: Lesions, key: RandomKey): readonly Site[] {
  return Array.from(permutation(key, kind.sites.length), (i) => kind.sites[i]!);
}

/** A whole number of millimetres from `least` to `most`, both included. */
export function millimetres(key: RandomKey, counter: number, least: number, most: number): number {
  return least + integer(key, counter, most - least + 1);
}

/** The findings of an image: a lesion measures what it is meant to in the pose of its visit. */
export function findingsAt(view: View, placed: readonly Placed[], pose: Pose, key: RandomKey): readonly Finding[] {
  return placed.map(({ kind, site, mm }) => {
    const draw = draws(fold(fold(key, "site"), `${kind.name} ${site.side} ${site.place}`));
    const [u, v] = [site.u + draw.spread(site.jitterU), site.v + draw.spread(site.jitterV)];
    const free = kind.radius[0] + draw.between(0.2, 0.8) * (kind.radius[1] - kind.radius[0]);
    return { kind, site, u, v, radius: mm === null ? free : mm / (view.fieldOfView * pose.width) };
  });
}

/** Findings besides the lesions: each of a chance, in places that are still free. */
export function addOther(
  { other }: Lesions,
  placed: readonly Placed[],
  likely: number,
  key: RandomKey,
): readonly Placed[] {
  const draw = draws(fold(key, "other"));
  const taken = new Set(placed.flatMap(({ site }) => site.takes));
  const free = other.sites.filter((site) => !site.takes.some((part) => taken.has(part)));
  if (free.length === 0 || draw.between(0, 1) >= likely) return placed;
  return [...placed, { kind: other, site: free[draw.below(free.length)]!, mm: null }];
}

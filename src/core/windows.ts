/** Windows: the range of an image's values that is shown from black to white. */

/** `width` values around `center` in the image's own units, for CT Hounsfield units, are shown from black to white. */
export interface GreyWindow {
  readonly center: number;
  readonly width: number;
  /** Images of this modality alone are shown so; absent: all. */
  readonly modality?: string;
}

/** Usual windows of CT in Hounsfield units (Radiopaedia, "Windowing (CT)"); other modalities keep their own. */
export const windowPresets = {
  lung: { center: -600, width: 1500, modality: "CT" },
  mediastinum: { center: 50, width: 350, modality: "CT" },
  abdomen: { center: 50, width: 400, modality: "CT" },
  liver: { center: 30, width: 150, modality: "CT" },
  bone: { center: 400, width: 1800, modality: "CT" },
  brain: { center: 40, width: 80, modality: "CT" },
  subdural: { center: 75, width: 215, modality: "CT" },
  stroke: { center: 40, width: 40, modality: "CT" },
} as const satisfies Readonly<Record<string, GreyWindow>>;

export type WindowPreset = keyof typeof windowPresets;

/** A window by its name or by its numbers. */
export function windowOf(given: WindowPreset | GreyWindow): GreyWindow {
  return typeof given === "string" ? windowPresets[given] : given;
}

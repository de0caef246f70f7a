/** Draws a scene as an 8-bit grey image: the view in physical units, then exposure or window. */
import { fold, type RandomKey } from "../../../core/random.ts";
import type { RawImage } from "../../../core/records.ts";
import { drawBrain } from "./brain.ts";
import type { Pose } from "./canvas.ts";
import { drawChestFilm } from "./chest-film.ts";
import { drawAbdomenCt, drawChestCt, windowed } from "./ct.ts";
import { draws } from "./draws.ts";
import type { Scene } from "./scene.ts";

/** Position and orientation of the body, from the key; more varied in harder images. */
export function poseOf(key: RandomKey, difficulty: number): Pose {
  const draw = draws(fold(key, "pose"));
  const loose = 0.5 + difficulty;
  return {
    shiftU: draw.spread(0.05 * loose),
    shiftV: draw.spread(0.05 * loose),
    width: 0.97 + draw.spread(0.05 * loose),
    height: 0.97 + draw.spread(0.05 * loose),
    turn: draw.spread(0.06 * loose),
  };
}

/**
 * The image of a scene, `size` x `size` pixels. The key determines anatomy, exposure and noise, but not the findings; with
 * a `visit`, position, exposure and noise are that visit's, and only the anatomy is the key's.
 */
export function drawScene(scene: Scene, size: number, difficulty: number, key: RandomKey, visit = key): RawImage {
  const pose = poseOf(visit, difficulty);
  const draw = draws(fold(key, "drawing"), fold(visit, "drawing"));
  const light = draws(fold(visit, "light"));
  const gain = 1 + light.spread(0.06 + 0.12 * difficulty);
  const shift = light.spread(0.02 + 0.06 * difficulty);
  const { view } = scene;
  const lungWindow = scene.findings.some(({ kind }) => kind.name === "pneumothorax") || light.between(0, 1) < 0.7;
  const data = (() => {
    switch (view.name) {
      case "chest_xray":
        return exposed(drawChestFilm(scene, size, pose, draw, difficulty), gain, shift);
      case "chest_ct": {
        const slice = drawChestCt(scene, size, pose, draw, difficulty);
        return lungWindow ? windowed(slice, -550, 1500 / gain) : windowed(slice, 40, 420 / gain);
      }
      case "abdomen_ct":
        return windowed(drawAbdomenCt(scene, size, pose, draw, difficulty), 60 + 60 * shift, 380 / gain);
      default:
        return windowed(drawBrain(scene, size, pose, draw, difficulty), 0.54, 1.04 / gain);
    }
  })();
  return { width: size, height: size, channels: 1, data };
}

/** The film's response curve: toe, straight part, shoulder. */
function exposed(shadow: Float32Array, gain: number, shift: number): Uint8Array {
  const data = new Uint8Array(shadow.length);
  for (let i = 0; i < data.length; i++) {
    const t = 0.5 + (shadow[i]! - 0.44) * gain + shift;
    const s = t <= 0 ? 0 : Math.min(t, 1);
    data[i] = 255 * (0.35 * s + 0.65 * s * s * (3 - 2 * s));
  }
  return data;
}

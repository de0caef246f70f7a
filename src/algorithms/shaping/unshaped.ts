/** No shaping: the estimator's advantages as they are. */
import { defineShaper } from "../algorithm.ts";

export const unshaped = defineShaper({
  options: {},
  stats: [],
  shape: (_, advantages) => ({ advantages }),
});

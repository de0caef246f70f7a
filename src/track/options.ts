/** Where and how a run is tracked: an entry of a recipe's `track`, and the options of `viva track`. */
import { join, resolve } from "node:path";
import type * as z from "zod";
import { UserError } from "../core/errors.ts";
import { flag, mapping, nameIn, text } from "../core/fields.ts";
import { type TrackerName, trackers } from "./table.ts";
import type { Tracker } from "./tracker.ts";

export const trackSchema = mapping({
  to: nameIn(trackers).describe("The tracker."),
  at: text("a folder, or the address of a server")
    .nullable()
    .default(null)
    .describe("Folder of tensorboard and wandb (null: in the run's folder), or the server's address of the others."),
  project: text().nullable().default(null).describe("Project or experiment; null is the recipe's name."),
  rollouts: flag().default(true).describe("Whether to send sample completions with their questions."),
  with_images: flag().default(false).describe("Whether samples show their images."),
})
  .refine(({ to, at }) => trackers[to].place === "folder" || at !== null, {
    error: "needs the server's address, as http://127.0.0.1:5000",
    path: ["at"],
  })
  .refine(({ rollouts, with_images }) => rollouts || !with_images, {
    error: "needs rollouts: true",
    path: ["with_images"],
  });

export type TrackOptions = Readonly<z.output<typeof trackSchema>>;

/** The tracker, and its folder or address. Throws UserError for an address that is none or that holds a secret. */
export function trackerAt(o: TrackOptions, folder: string): { readonly tracker: Tracker; readonly at: string } {
  const tracker: Tracker = trackers[o.to];
  const at = tracker.place === "folder" ? resolve(o.at ?? join(folder, o.to)) : address(o.to, o.at ?? "");
  tracker.check?.(at);
  return { tracker, at };
}

function address(to: TrackerName, at: string): string {
  const url = URL.canParse(at) ? new URL(at) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UserError(`${to}: ${at || "no address"}: expected the server's address, as http://127.0.0.1:5000`);
  }
  if (url.username !== "" || url.password !== "" || url.search !== "") {
    throw new UserError(
      `${to}: leave passwords and tokens out of the address: set the variables that docs/trackers.md names`,
    );
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}

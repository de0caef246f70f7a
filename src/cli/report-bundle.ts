/** viva report --bundle: the pages of viva ui as files. */
import { resolve } from "node:path";
import { createUiApp, readPages, writeBundle } from "../ui/index.ts";
import { uiServices } from "./ui-server.ts";

/** Writes the pages of the runs as files. */
export function bundleOf(
  runs: readonly string[],
  to: string,
  { bundleImages, images }: { readonly bundleImages: boolean; readonly images: readonly string[] },
): Promise<{ readonly files: number; readonly bytes: number }> {
  const services = uiServices(runs, { images, play: false }, "");
  const app = createUiApp({ ...services, access: { origin: null, token: null } });
  return writeBundle(resolve(to), { app, library: services.library, pages: readPages(), images: bundleImages });
}

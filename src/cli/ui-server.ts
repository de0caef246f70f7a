/** What the pages of viva ui are served with, for the server and for the files of `viva report --bundle`. */
import { existsSync } from "node:fs";
import { setPriority } from "node:os";
import { messageOf, UserError } from "../core/errors.ts";
import { generatedImagesOf, remade } from "../session/generated-images.ts";
import { liveAnswers } from "../session/live-answers.ts";
import { modelViews } from "../session/model-view.ts";
import { accessFor, openLibrary, readPages, realRoots, startUi, type UiOptions, type UiServer } from "../ui/index.ts";

export interface UiCommandOptions {
  readonly port: number;
  readonly host: string;
  readonly origin?: string;
  readonly images: readonly string[];
  readonly open?: boolean;
  readonly play: boolean;
  readonly json?: boolean;
}

/** Throws UserError for a folder that is not there and an address that cannot be taken. */
export async function openUi(given: readonly string[], o: UiCommandOptions, version: string): Promise<UiServer> {
  if (given.length === 0 && !existsSync("runs")) {
    throw new UserError("there is no folder runs here; name the folders that hold runs: viva ui FOLDER");
  }
  const roots = given.length === 0 ? ["runs"] : given;
  const access = accessFor(o.host, o.origin);
  lowerPriority();
  return startUi({ ...uiServices(roots, o, version), access, host: o.host, port: o.port, pages: readPages() });
}

/** What the pages of these folders are served with. Throws UserError for a folder that is not there. */
export function uiServices(
  roots: readonly string[],
  o: { readonly images: readonly string[]; readonly play: boolean },
  version: string,
): Omit<UiOptions, "access"> {
  return {
    library: openLibrary(realRoots(roots)),
    imageRoots: realRoots(o.images),
    generated: memoized(generatedImagesOf),
    remade,
    modelView: modelViews(),
    play: o.play ? liveAnswers() : null,
    version,
    onFailure: (error) => console.error(`error: ${error instanceof Error ? error.stack : messageOf(error)}`),
  };
}

/** A run that is watched comes first. */
function lowerPriority(): void {
  try {
    setPriority(10);
  } catch {} // not allowed here
}

function memoized<T>(make: (key: string) => T): (key: string) => T {
  const made = new Map<string, T>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

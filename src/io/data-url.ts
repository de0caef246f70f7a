/** Images within texts: `data:image/png;base64,…`. */
import { UserError } from "../core/errors.ts";

/** The bytes of a data URL; throws UserError for one that is not base64. */
export function dataUrlBytes(url: string): Uint8Array {
  const [, text] = /^data:[^,]{0,200};base64,([A-Za-z0-9+/\s]+={0,2})\s*$/.exec(url) ?? [];
  if (text === undefined) throw new UserError("an image is a data URL that is not valid base64");
  return Buffer.from(text, "base64");
}

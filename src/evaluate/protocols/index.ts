/** The protocols by name. */
import { requireNamed } from "../../core/suggest.ts";
import type { ProtocolName } from "../names.ts";
import { lmms } from "./lmms.ts";
import { medevalkit } from "./medevalkit.ts";
import { medvlthinker } from "./medvlthinker.ts";
import type { Protocol } from "./protocol.ts";
import { viva } from "./viva.ts";

export type { Protocol, Verdict } from "./protocol.ts";

export const protocols = { viva, medevalkit, lmms, medvlthinker } as const satisfies Readonly<
  Record<ProtocolName, Protocol>
>;

/** The protocol of that name; a UserError names the nearest. */
export function findProtocol(name: string): Protocol {
  return protocols[requireNamed("protocol", name, protocols)];
}

/** How a server adds up gradients: norms of the same gradient sent in different ways. */
import { ServerRefusal } from "./connection.ts";
import { CARRIER, UNCLIPPED } from "./datum.ts";
import type { Dialect } from "./dialect.ts";
import { misfit, normOf, partWith, probePrompt, scoreOf } from "./probe-tools.ts";
import type { RemoteModel, WireLoss } from "./remote-model.ts";

/** Norms come from sums in other orders, and in few digits where the server computes in bfloat16. */
const CLOSE = 0.05;

export interface GradientFindings extends Omit<Dialect, "inheritsGradients"> {
  readonly loss: WireLoss;
  /** The probe's completion under the model as it was made. */
  readonly logProbs: Float32Array;
}

/** Throws UserError where gradients add up in none of the known ways. */
export async function probeGradients(model: RemoteModel): Promise<GradientFindings> {
  const { loss, logProbs: own } = await carrierOf(model);
  const half = partWith([1, 1, 0, 0], own);
  const short = partWith([1, 1], own);
  const ofHalf = await normOf(model, loss, [half]);
  const ofShort = await normOf(model, loss, [short]);
  if (!(ofHalf > 0 && Number.isFinite(ofHalf))) throw misfit(`a gradient has the norm ${ofHalf}`);
  const dividesByTokens = oneOf("a completion's tokens", ofShort / ofHalf, { 1: false, 2: true });

  const ofThree = await normOf(model, loss, [partWith([3, 3], own)]);
  if (!isClose(ofThree / ofShort, 3)) throw misfit("advantages do not multiply the gradient");

  const ofPair = await normOf(model, loss, [short, short]);
  const dividesByData = oneOf("data of one call", ofPair / ofShort, { 2: false, 1: true });
  const ofMixed = await normOf(model, loss, [short, half]);
  if (!isClose(ofMixed, (ofShort + ofHalf) / (dividesByData ? 2 : 1))) {
    throw misfit("gradients of completions of different length do not add up");
  }
  const ofCalls = await normOf(model, loss, [short], [short]);
  if (!isClose(ofCalls, ofPair)) throw misfit("gradients of two calls do not add up as those of one");

  const older = partWith(
    [1, 1],
    Float32Array.from(own, (value) => value - Math.LN2),
  );
  const ofOlder = loss === UNCLIPPED ? null : await normOf(model, loss, [older]);
  const clipsToOne = ofOlder !== null && isClose(ofOlder, ofShort);
  return { dividesByTokens, dividesByData, clipsToOne, loss: clipsToOne ? CARRIER : UNCLIPPED, logProbs: own };
}

/** The loss that carries gradients, and the log-probs that it gives; some servers have one, some the other. */
async function carrierOf(model: RemoteModel) {
  const tokenIds = partWith([1, 1, 1, 1], []).tokenIds;
  const score = async (loss: WireLoss) => ({
    loss,
    logProbs: await scoreOf(model, { prompt: probePrompt, tokenIds, loss }),
  });
  try {
    return await score(CARRIER);
  } catch (error) {
    if (!(error instanceof ServerRefusal)) throw error;
    return await score(UNCLIPPED);
  }
}

function oneOf(what: string, ratio: number, known: Readonly<Record<number, boolean>>): boolean {
  const found = Object.entries(known).find(([value]) => isClose(ratio, Number(value)));
  if (found !== undefined) return found[1];
  throw misfit(
    `${what}: one part more multiplies the gradient by ${ratio.toPrecision(3)}, which is no sum and no mean`,
  );
}

function isClose(a: number, b: number): boolean {
  return Math.abs(a - b) <= CLOSE * Math.abs(b);
}

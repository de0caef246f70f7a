/** Which of a model's own answers stands for each class: one to one, by how often it is given (OPTML-Group/ILM-VP). */

/**
 * The answer of each class from counts [answers][classes] of how often the class's images get it: the largest cell is
 * taken, its row and column struck, and so on; of equal cells the first, answers before classes.
 */
export function frequencyMapping(counts: readonly (readonly number[])[]): number[] {
  const classes = counts[0]?.length ?? 0;
  const answerOf = new Array<number>(classes).fill(-1);
  const taken = new Set<number>();
  for (let n = 0; n < classes; n++) {
    let best: readonly [answer: number, target: number] | null = null;
    for (const [answer, row] of counts.entries()) {
      if (taken.has(answer)) continue;
      for (const [target, count] of row.entries()) {
        if (answerOf[target] === -1 && (best === null || count > counts[best[0]]![best[1]]!)) best = [answer, target];
      }
    }
    if (best === null) throw new Error(`internal: ${counts.length} answers cannot stand for ${classes} classes`);
    answerOf[best[1]] = best[0];
    taken.add(best[0]);
  }
  return answerOf;
}

/** Counts [answers][classes] of the likeliest answers of rows of scores [rows][answers]. */
export function answerCounts(
  scores: readonly ArrayLike<number>[],
  targets: readonly number[],
  classes: number,
): number[][] {
  const answers = scores[0]?.length ?? 0;
  const counts = Array.from({ length: answers }, () => new Array<number>(classes).fill(0));
  for (const [i, row] of scores.entries()) counts[likeliest(row)]![targets[i]!]!++;
  return counts;
}

/** The place of the largest number, the first of equal ones. */
export function likeliest(row: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}

/** Cross-entropy of the softmax of scores against a class, and its gradient by the scores. */
export function crossEntropy(scores: ArrayLike<number>, target: number) {
  const highest = Math.max(...Array.from(scores));
  const shares = Array.from(scores, (score) => Math.exp(score - highest));
  const total = shares.reduce((sum, share) => sum + share, 0);
  const loss = Math.log(total) + highest - scores[target]!;
  return { loss, gradient: shares.map((share, i) => share / total - (i === target ? 1 : 0)) };
}

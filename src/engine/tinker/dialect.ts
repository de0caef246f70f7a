/** How a server does what the API leaves open: found by trying (`probe.ts`), never by its name. */

export interface Dialect {
  /** A datum's loss is divided by its tokens that count. */
  readonly dividesByTokens: boolean;
  /** The gradient is divided by the data since the last update. */
  readonly dividesByData: boolean;
  /** Clipping the ratio to 1 makes a loss whose gradient does not depend on the ratio. */
  readonly clipsToOne: boolean;
  /** A new model begins with gradients that an earlier one left in its place. */
  readonly inheritsGradients: boolean;
}

/** What gains are multiplied by so that a server's gradient is the sum of gain·∇logp. */
export function scaleOf(dialect: Dialect, o: { readonly tokens: number; readonly data: number }): number {
  return (dialect.dividesByTokens ? o.tokens : 1) * (dialect.dividesByData ? o.data : 1);
}

/** One word of a cleaned text: what it is compared as, and where it stands. */
export interface Word {
  readonly token: string;
  /** As written. */
  readonly raw: string;
  readonly start: number;
  readonly end: number;
}

/** LRU cache of image features by content hash, with bounded memory. */

/** Bytes of features held at most: 290 images of 448 x 448 at Qwen2-VL-2B's width. */
const MAX_BYTES = 512e6;

export class FeatureCache {
  readonly #maxBytes: number;
  readonly #entries = new Map<string, Float32Array>();
  #bytes = 0;

  constructor(maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get(sha256: string): Float32Array | undefined {
    const found = this.#entries.get(sha256);
    if (found !== undefined) {
      this.#entries.delete(sha256);
      this.#entries.set(sha256, found);
    }
    return found;
  }

  set(sha256: string, features: Float32Array): void {
    this.#bytes += features.byteLength - (this.#entries.get(sha256)?.byteLength ?? 0);
    this.#entries.delete(sha256);
    this.#entries.set(sha256, features);
    for (const [oldest, { byteLength }] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#entries.delete(oldest);
      this.#bytes -= byteLength;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }
}

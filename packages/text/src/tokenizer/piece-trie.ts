/** Where a lookup begins. */
export const WORD_START = 0;
export const WORD_CONTINUATION = 1;

/**
 * The pieces that may begin a word and those that may continue one, as two tries in one hash table of (node, UTF-16 unit) → node.
 *
 * A lookup touches each unit of its match once and makes no string, so it costs the same for words never seen before and keeps no
 * text alive.
 */
export class PieceTrie {
  #parents: Int32Array;
  #units: Uint16Array;
  #children: Int32Array;
  /** Id of the piece that ends at a node, or −1. */
  #ids: Int32Array;
  #nodes = 2;

  /** Units that the last successful {@link longest} covered. */
  matched = 0;

  /** @param pieces how many will be added, for the first size of the table; they have about five characters of their own each. */
  constructor(pieces: number) {
    const slots = 2 ** Math.max(8, Math.ceil(Math.log2(10 * pieces + 1)));
    this.#parents = new Int32Array(slots).fill(-1);
    this.#units = new Uint16Array(slots);
    this.#children = new Int32Array(slots);
    this.#ids = new Int32Array(slots / 2).fill(-1);
  }

  /** Adds `piece[from, …)`. The vocabulary's own limit of characters bounds the table. */
  add(root: typeof WORD_START | typeof WORD_CONTINUATION, piece: string, from: number, id: number): void {
    let node: number = root;
    for (let i = from; i < piece.length; i++) node = this.#childOrNew(node, piece.charCodeAt(i));
    this.#ids[node] = id;
  }

  /** The id of the longest piece that begins at `text[start]` and ends by `end`, or −1; its length is in {@link matched}. */
  longest(root: typeof WORD_START | typeof WORD_CONTINUATION, text: string, start: number, end: number): number {
    let found = -1;
    let node: number = root;
    for (let i = start; i < end; i++) {
      const slot = this.#slot(node, text.charCodeAt(i));
      if (this.#parents[slot]! < 0) break;
      node = this.#children[slot]!;
      const id = this.#ids[node]!;
      if (id >= 0) {
        found = id;
        this.matched = i + 1 - start;
      }
    }
    return found;
  }

  /** Where (node, unit) is or would be: open addressing, linear probing. */
  #slot(node: number, unit: number): number {
    const mask = this.#parents.length - 1;
    let slot = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b);
    slot = (slot ^ (slot >>> 15)) & mask;
    while (this.#parents[slot]! >= 0 && (this.#parents[slot] !== node || this.#units[slot] !== unit)) slot = (slot + 1) & mask;
    return slot;
  }

  #childOrNew(node: number, unit: number): number {
    const slot = this.#slot(node, unit);
    if (this.#parents[slot]! >= 0) return this.#children[slot]!;
    const child = this.#nodes++;
    this.#parents[slot] = node;
    this.#units[slot] = unit;
    this.#children[slot] = child;
    if (this.#nodes * 2 > this.#parents.length) this.#grow();
    return child;
  }

  #grow(): void {
    const parents = this.#parents;
    const units = this.#units;
    const children = this.#children;
    this.#parents = new Int32Array(parents.length * 2).fill(-1);
    this.#units = new Uint16Array(parents.length * 2);
    this.#children = new Int32Array(parents.length * 2);
    for (let i = 0; i < parents.length; i++) {
      if (parents[i]! < 0) continue;
      const slot = this.#slot(parents[i]!, units[i]!);
      this.#parents[slot] = parents[i]!;
      this.#units[slot] = units[i]!;
      this.#children[slot] = children[i]!;
    }
    const ids = new Int32Array(this.#ids.length * 2).fill(-1);
    ids.set(this.#ids);
    this.#ids = ids;
  }
}

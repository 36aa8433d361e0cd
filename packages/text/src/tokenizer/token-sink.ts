import type { TextTokens } from './template';

/** Collects a text's tokens in order, in arrays that grow. */
export class TokenSink {
  #ids = new Int32Array(256);
  #starts = new Int32Array(256);
  #ends = new Int32Array(256);
  #words = new Int32Array(256);
  #length = 0;
  #word = 0;

  /** A piece of the current word; `start` and `end` are UTF-16 units of the text. */
  push(id: number, start: number, end: number): void {
    if (this.#length === this.#ids.length) this.#resize(this.#length * 2);
    this.#ids[this.#length] = id;
    this.#starts[this.#length] = start;
    this.#ends[this.#length] = end;
    this.#words[this.#length++] = this.#word;
  }

  endWord(): void {
    this.#word++;
  }

  /** A token that is a word of its own. */
  add(id: number, start: number, end: number): void {
    this.push(id, start, end);
    this.endWord();
  }

  finish(): TextTokens {
    this.#resize(this.#length);
    return { ids: this.#ids, starts: this.#starts, ends: this.#ends, words: this.#words };
  }

  #resize(length: number): void {
    const resized = (array: Int32Array): Int32Array<ArrayBuffer> => {
      const out = new Int32Array(length);
      out.set(array.subarray(0, this.#length));
      return out;
    };
    this.#ids = resized(this.#ids);
    this.#starts = resized(this.#starts);
    this.#ends = resized(this.#ends);
    this.#words = resized(this.#words);
  }
}

import { type BigIntStats, closeSync, fstatSync, readSync } from 'node:fs';
import { fail, quote } from '../errors';
import type { Place } from '../place';
import { parseLocation } from './location';
import { type ExternalRoot, openExternal } from './open';

/** A checked range of a checked file, readable later. */
export interface ExternalRange {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
  read(): Uint8Array;
}

const sameFile = (a: BigIntStats, b: BigIntStats): boolean =>
  a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;

const READ_CHUNK = 2 ** 30;

/**
 * The files of one model's external tensors. Paths and sizes are checked when the model is loaded, bytes are read when a
 * tensor is; no descriptor stays open in between, and a file that changed meanwhile is refused.
 */
export class ExternalStore {
  private readonly files = new Map<string, { parts: string[]; stats: BigIntStats }>();

  constructor(private readonly root: ExternalRoot) {}

  /** The files that tensors were found in. */
  get locations(): string[] {
    return [...this.files.keys()];
  }

  /** Checks the file behind `location` once. @throws {EngineError} E_PATH, E_NOT_FOUND. */
  private file(location: string, where: Place): { parts: string[]; stats: BigIntStats } {
    const known = this.files.get(location);
    if (known !== undefined) return known;
    const parts = parseLocation(location, where);
    const { fd, stats } = openExternal(this.root, parts, where);
    closeSync(fd);
    const file = { parts, stats };
    this.files.set(location, file);
    return file;
  }

  /**
   * Checks that [offset, offset + length) lies in the file; without a length, the range runs to the file's end.
   * @throws {EngineError} E_MODEL out of the file; E_PATH, E_NOT_FOUND.
   */
  range(location: string, offset: number, length: number | undefined, where: Place): ExternalRange {
    const file = this.file(location, where);
    const size = Number(file.stats.size);
    if (offset > size) fail('E_MODEL', 'load', where, `offset ${offset} lies past the end of ${quote(location)} (${size} bytes)`);
    const bytes = length ?? size - offset;
    if (bytes > size - offset) {
      fail('E_MODEL', 'load', where, `needs ${bytes} bytes at offset ${offset} of ${quote(location)}, which has ${size}`);
    }
    return { location, offset, length: bytes, read: () => this.read(file, offset, bytes, where) };
  }

  private read(file: { parts: string[]; stats: BigIntStats }, offset: number, length: number, where: Place): Uint8Array {
    const opened = openExternal(this.root, file.parts, where);
    try {
      const changed = (): never =>
        fail('E_IO', 'load', where, `the external data file ${quote(file.parts.join('/'))} changed after the model was loaded`);
      if (!sameFile(opened.stats, file.stats)) changed();
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const count = readSync(opened.fd, bytes, done, Math.min(length - done, READ_CHUNK), offset + done);
        if (count === 0) changed();
        done += count;
      }
      if (!sameFile(fstatSync(opened.fd, { bigint: true }), file.stats)) changed();
      return bytes;
    } finally {
      closeSync(opened.fd);
    }
  }
}

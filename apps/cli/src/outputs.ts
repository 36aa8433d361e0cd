import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { EngineError, isWrittenInPlace, type OutputKind, OutputLock, refuseExisting, saveFile } from '@neural-engine/core';
import { namesIn, statOf } from './files';

/** A result that flags ask for. */
export interface Wanted {
  readonly flag: string;
  /** Undefined: not asked for. */
  readonly path: string | undefined;
  readonly kind?: OutputKind;
}

/**
 * The results of a command, claimed before its work begins: what cannot be written, may not be replaced, or is being written by another run
 * is refused at once and not after minutes of work. They stay locked until the command ends.
 */
export class Outputs implements Disposable {
  private readonly locks = new Map<string, OutputLock>();

  private constructor(private readonly force: boolean) {}

  /**
   * @param inputs files and folders that the command reads; a result may be none of them, nor lie inside one.
   * @throws {EngineError} E_USAGE a result is an input or another result; E_CANTCREAT it exists (without `force`) or cannot be made;
   *   E_LOCKED another run writes it.
   */
  static async claim(wanted: readonly Wanted[], inputs: readonly (string | undefined)[], force = false): Promise<Outputs> {
    const outputs = new Outputs(force);
    try {
      for (const { flag, path, kind = 'file' } of wanted) {
        if (path === undefined || isWrittenInPlace(path)) continue;
        if (path === '') throw new EngineError('E_USAGE', 'usage', `${flag} needs a name`);
        refuseInputs(flag, path, inputs);
        const other = [...outputs.locks.keys()].find((name) => realPath(name) === realPath(path));
        if (other !== undefined) throw new EngineError('E_USAGE', 'usage', `${flag} ${path}: another result goes there already`);
        if (!force) await refuseExisting(path, kind);
        outputs.locks.set(path, OutputLock.take(path, kind));
      }
      return outputs;
    } catch (error) {
      outputs[Symbol.dispose]();
      throw withFlag(error);
    }
  }

  /** How the library's own writers save a result. */
  how(path: string): { force: boolean; lock?: OutputLock } {
    const lock = this.locks.get(path);
    return { force: this.force, ...(lock ? { lock } : {}) };
  }

  /** Writes a file that was asked for, whole or not at all. */
  async save(path: string | undefined, content: () => string | Uint8Array): Promise<void> {
    if (path !== undefined) await saveFile(path, content(), this.how(path));
  }

  [Symbol.dispose](): void {
    for (const lock of this.locks.values()) lock.release();
  }
}

/** The flag is what someone at a terminal can do about it. */
function withFlag(error: unknown): unknown {
  if (!EngineError.isInstance(error) || error.code !== 'E_CANTCREAT' || !error.message.includes('force replaces')) return error;
  const { code, stage, where = '' } = error;
  return new EngineError(code, stage, error.message.replace('force replaces', '--force replaces'), { where, cause: error });
}

function refuseInputs(flag: string, path: string, inputs: readonly (string | undefined)[]): void {
  const output = realPath(path);
  for (const input of inputs) {
    if (input === undefined) continue;
    const stats = statOf(input);
    if (!stats) continue;
    const real = realPath(input);
    if (output === real) throw new EngineError('E_USAGE', 'usage', `${flag} ${path}: that is an input, which is read; name another place`);
    if (stats.isDirectory() && output.startsWith(real + sep) && isReadWhole(real, output))
      throw new EngineError('E_USAGE', 'usage', `${flag} ${path}: that is inside "${input}", which is read; name another place`);
  }
}

/** Of a folder that holds an ONNX model beside other files, only models are inputs: results may lie beside them. */
function isReadWhole(folder: string, output: string): boolean {
  const names = namesIn(folder);
  return names.includes('conf.yaml') || !names.some((name) => name.endsWith('.onnx')) || (output.endsWith('.onnx') && existsSync(output));
}

/** A path without links and detours, also of what is not there yet. */
function realPath(path: string): string {
  const full = resolve(path);
  try {
    return realpathSync(full);
  } catch {
    const parent = dirname(full);
    return parent === full ? full : join(realPath(parent), basename(full));
  }
}

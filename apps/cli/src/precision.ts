import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '@neural-engine/core';
import { writeIr } from '@neural-engine/engine';
import { quantizeModel } from './quantize';

/** The forms in which a model can be measured. `as stored` leaves it as its file has it. */
export const PRECISIONS = ['as stored', 'fp32', 'int8'] as const;
export type Precision = (typeof PRECISIONS)[number];

/** @throws {EngineError} E_USAGE an unknown one. */
export function precisionList(flag: string, text: string): Precision[] {
  return text.split(',').map((part) => {
    const name = part.trim();
    if (!(PRECISIONS as readonly string[]).includes(name))
      throw new EngineError('E_USAGE', 'usage', `${flag} ${name}: expected ${PRECISIONS.slice(1).join(', ')}`);
    return name as Precision;
  });
}

/** Makes forms of one model as files, each once; the files are removed in the end. */
export class Forms implements AsyncDisposable {
  private readonly made = new Map<Precision, Promise<string>>();
  private readonly folders: string[] = [];

  constructor(private readonly model: string) {}

  /** Path of the model in that form. int8 is calibrated on what ships with the embedded model. */
  path(precision: Precision): Promise<string> {
    if (precision !== 'int8') return Promise.resolve(this.model);
    const known = this.made.get(precision);
    if (known) return known;
    const making = this.quantized();
    this.made.set(precision, making);
    return making;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const folder of this.folders) await rm(folder, { recursive: true, force: true });
  }

  private async quantized(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'ne-int8-'));
    this.folders.push(folder);
    const path = join(folder, 'ir');
    const { graph } = await quantizeModel(this.model, { samples: '128', method: 'minmax' });
    await writeIr(graph, path, { force: false });
    return path;
  }
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forget, removeAtExit } from '@neural-engine/core';
import { writeIr } from '@neural-engine/engine';
import { type Precision, requirePrecision } from '@neural-engine/quantizer';
import { quantizeModel } from './quantize/quantize';

/** A form in which a model can be measured; `as stored` leaves it as its file has it. */
export type Form = Precision | 'as stored';

/** @throws {EngineError} E_USAGE an unknown one. */
export const precisionList = (flag: string, text: string): Precision[] =>
  text.split(',').map((name) => requirePrecision(name.trim(), flag));

/** Makes forms of one model as files, each once; the files are removed in the end, or when a signal ends the process. */
export class Forms implements Disposable {
  private readonly made = new Map<Form, Promise<string>>();
  private readonly folders: string[] = [];

  constructor(private readonly model: string) {}

  /** Path of the model in that form. int8 is calibrated on what ships with the embedded model. */
  path(form: Form): Promise<string> {
    if (form === 'as stored' || form === 'fp32') return Promise.resolve(this.model);
    const making = this.made.get(form) ?? this.make(form);
    this.made.set(form, making);
    return making;
  }

  [Symbol.dispose](): void {
    for (const folder of this.folders) {
      rmSync(folder, { recursive: true, force: true });
      forget(folder);
    }
  }

  private async make(precision: Precision): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), `ne-${precision}-`));
    removeAtExit(folder, () => rmSync(folder, { recursive: true, force: true }));
    this.folders.push(folder);
    const path = join(folder, 'ir');
    const { graph } = await quantizeModel(this.model, { precision, samples: '128' });
    await writeIr(graph, path, { force: false });
    return path;
  }
}

import { EngineError } from '@neural-engine/core';
import type { IrOperator } from '../config';

/** Reads attributes of the original's operators: everything is text there. */
export class OriginalAttributes {
  constructor(private readonly operator: IrOperator) {}

  text(name: string): string | undefined {
    return this.operator.attributes?.get(name)?.text;
  }

  number(name: string, fallback: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value)) this.fail(name, text, 'a number');
    return value;
  }

  integers(name: string): number[] | undefined {
    const text = this.text(name);
    if (text === undefined || text === '') return undefined;
    const values = text.split(',').map((item) => Number(item));
    if (!values.every(Number.isSafeInteger)) this.fail(name, text, 'whole numbers');
    return values;
  }

  private fail(name: string, text: string, expected: string): never {
    throw new EngineError('E_IR', 'ir', `operator "${this.operator.name}", attribute "${name}": expected ${expected}, got "${text}"`, {
      where: this.operator.name,
    });
  }
}

/** What an operator gives: f32 unless it says otherwise. */
export const outputDtype = (attributes: OriginalAttributes): 'f32' | 'u8' | 's8' => {
  const dtype = attributes.text('output_dtype');
  return dtype === 'u8' || dtype === 's8' ? dtype : 'f32';
};

/** Activations of append_op by our names. */
export const ACTIVATIONS: Readonly<Record<string, string>> = {
  gelu_erf: 'gelu_erf',
  gelu_tanh: 'gelu_tanh',
  relu: 'relu',
  tanh: 'tanh',
  sigmoid: 'sigmoid',
};

/** Heads of a fused reshape: −1, −1, heads, size; or heads, size, −1, −1 in transposed files. */
export function headsOf(reshape: readonly number[] | undefined): number | undefined {
  if (reshape?.length !== 4) return undefined;
  return reshape[0]! > 0 ? reshape[0] : reshape[2];
}

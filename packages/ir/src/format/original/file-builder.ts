import { bytesOf, EngineError, type Tensor } from '@neural-engine/core';
import type { IrConfig, IrOperator, IrScalar, IrTensor } from '../config';
import { dtypeToFile } from '../dtypes';

/** An attribute as the original's writer has it in memory: text that looks like a number is quoted, numbers are not. */
export type FileAttribute = string | number | boolean;

const scalar = (value: FileAttribute): IrScalar => ({ text: String(value), quoted: typeof value === 'string' && /^-?\d+$/.test(value) });

/** Collects the operators and constants of a file, under names that are free. */
export class FileBuilder {
  private readonly operators: IrOperator[] = [];
  private readonly inputs: IrTensor[] = [];
  private readonly constants = new Map<string, Tensor>();
  private readonly tensorNames = new Set<string>();
  private readonly operatorNames = new Set(['input_data', 'output_data']);

  /** A free tensor name: TensorFlow's, with an output number, as the original's tools expect. */
  tensor(hint: string): string {
    return claim(this.tensorNames, hint.endsWith(':0') ? hint.slice(0, -2) : hint, ':0');
  }

  /** Declares what the caller feeds. @returns its name in the file. */
  input(name: string, dtype: string, shape: readonly number[]): string {
    const tensor = this.tensor(name);
    this.inputs.push({ name: tensor, dtype, shape });
    return tensor;
  }

  constant(hint: string, data: Tensor): string {
    const name = this.tensor(hint);
    this.constants.set(name, data);
    return name;
  }

  /**
   * Adds an operator. Inputs are the keys of a mapping in the file, so a constant that is read twice is stored twice.
   *
   * @throws {EngineError} E_UNSUPPORTED it reads an activation twice.
   */
  add(
    name: string,
    type: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, FileAttribute>> = {},
  ): void {
    const read: string[] = [];
    for (const input of inputs) {
      const constant = this.constants.get(input);
      if (!read.includes(input)) read.push(input);
      else if (constant) read.push(this.constant(`${input.replace(/:0$/, '')}_again`, constant));
      else throw new EngineError('E_UNSUPPORTED', 'save', `it reads "${input}" twice`);
    }
    const texts = new Map(Object.entries(attributes).map(([key, value]) => [key, scalar(value)]));
    this.operators.push({
      name: claim(this.operatorNames, name, ''),
      type,
      inputs: read,
      outputs: [{ name: output }],
      ...(texts.size > 0 ? { attributes: texts } : {}),
    });
  }

  /** The whole file: constants in the order in which operators read them, each once, without gaps. */
  finish(outputs: readonly string[]): { config: Omit<IrConfig, 'extra'>; weights: Uint8Array[] } {
    const weights: Uint8Array[] = [];
    const placed = new Map<string, IrTensor>();
    let offset = 0;
    for (const name of this.operators.flatMap((operator) => operator.inputs)) {
      const constant = this.constants.get(name);
      if (!constant || placed.has(name)) continue;
      const bytes = bytesOf(constant.data);
      placed.set(name, { name, dtype: dtypeToFile(constant.dtype, name), shape: [...constant.dims], location: [offset, bytes.byteLength] });
      weights.push(bytes);
      offset += bytes.byteLength;
    }
    const operators: IrOperator[] = [
      { name: 'input_data', type: 'Input', inputs: [], outputs: [...this.inputs, ...placed.values()] },
      ...this.operators,
      { name: 'output_data', type: 'Output', inputs: outputs, outputs: [] },
    ];
    return { config: { name: 'model', operators }, weights };
  }
}

function claim(taken: Set<string>, hint: string, suffix: string): string {
  let name = hint + suffix;
  for (let i = 1; taken.has(name); i++) name = `${hint}_${i}${suffix}`;
  taken.add(name);
  return name;
}

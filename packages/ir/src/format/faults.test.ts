import { EngineError } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { type EncoderOptions, encoder } from '../__fixtures__/encoder';
import type { IrOperator } from './config';
import { encodeOriginalIr } from './original/encode';
import { parseConfig } from './parse-config';
import { irToGraph, readIr } from './read-ir';
import { type EncodedIr, encodeIr } from './write-ir';

const options: EncoderOptions = { codes: 's8', activation: 'gelu_tanh' };
const forms = [
  ['our own', encodeIr(encoder(options))],
  ["the original's", encodeOriginalIr(encoder(options))],
] as const;

const read = ({ weights }: EncodedIr, config: string) => readIr({ config, weights: Buffer.concat(weights) });

describe('Y10: an operator of conf.yaml that cannot be', () => {
  const [own, original] = [forms[0][1], forms[1][1]];
  it.each([
    ['an activation that there is not', own, 'activation: gelu_tanh', 'activation: gulu', '"activation" is gulu'],
    ['heads that do not divide the features', own, 'heads: 2', 'heads: 3', '3 heads'],
    ['an attribute of another type', own, 'heads: 2', 'heads: 1.5', '"heads" is no int'],
    ['an attribute that is missing', own, 'heads: 2', "input_type: ''", 'no attribute'],
    ['a tensor that nothing makes', own, /( +)embedded: \{\}/, '$1nowhere: {}', '"nowhere", which nothing makes'],
    ['a tensor that is made later', own, /( +)embedded: \{\}/, '$1norm2: {}', 'not made by any earlier node'],
    ['a dtype that the operator does not give', own, 'output_dtype: u8', 'output_dtype: s8', 'output'],
    ['an operator without outputs', original, / +output:\n +norm0:0: \{\}\n/, '', 'has no output'],
    ['an input of another dtype', original, 'dtype: s32', 'dtype: fp32', 'it may be'],
  ])('refuses %s, naming it', async (_, ir, from, to, message) => {
    const changed = ir.config.replace(from, to);
    expect(changed).not.toBe(ir.config);
    await expect(read(ir, changed)).rejects.toMatchObject({ code: 'E_IR', stage: 'ir', message: expect.stringContaining(message) });
  });

  it.each(forms)('never takes what %s file lacks for a fault of the engine', (_, ir) => {
    const [config, weights] = [parseConfig(ir.config), Buffer.concat(ir.weights)];
    const codes = new Set<string>();
    for (const [i, operator] of config.operators.entries()) {
      for (const lacking of lessOf(operator)) {
        try {
          irToGraph({ ...config, operators: config.operators.with(i, lacking) }, weights);
        } catch (error) {
          if (!EngineError.isInstance(error)) throw new Error(`"${operator.name}" as ${JSON.stringify(lacking)}`, { cause: error });
          codes.add(error.code);
        }
      }
    }
    expect(codes).toContain('E_IR');
    expect([...codes].filter((code) => !['E_IR', 'E_IR_MISMATCH', 'E_UNSUPPORTED'].includes(code))).toEqual([]);
  });
});

/** The operator without each of its inputs, outputs, dtypes and attributes. */
function lessOf(operator: IrOperator): IrOperator[] {
  const { inputs, outputs, attributes = new Map() } = operator;
  return [
    ...inputs.map((_, i) => ({ ...operator, inputs: inputs.toSpliced(i, 1) })),
    ...outputs.map((_, i) => ({ ...operator, outputs: outputs.toSpliced(i, 1) })),
    ...outputs.map(({ dtype: _, ...output }, i) => ({ ...operator, outputs: outputs.with(i, output) })),
    ...[...attributes.keys()].map((name) => ({ ...operator, attributes: new Map([...attributes].filter(([other]) => other !== name)) })),
  ];
}

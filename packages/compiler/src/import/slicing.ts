import { s64, type Tensor } from '@neural-engine/core';
import { emitAs, type Importer, type Importers } from './operator';

/** Slice had its bounds in attributes before opset 10. */
const slice: Importer = (node, to) => {
  if (node.opset >= 10) return emitAs(node, to, 'Slice', node.inputs);
  const starts = node.saturatedInts('starts') ?? node.fail('E_MODEL', 'the attribute "starts" is missing');
  const ends = node.saturatedInts('ends') ?? node.fail('E_MODEL', 'the attribute "ends" is missing');
  const axes = node.ints('axes') ?? starts.map((_, i) => i);
  const list = (what: string, values: number[]): string => to.constant(`${node.name}/${what}`, s64(values));
  return emitAs(node, to, 'Slice', [node.input(0), list('starts', starts), list('ends', ends), list('axes', axes)]);
};

/** Split had its sizes in an attribute before opset 13, and its number of parts only in its outputs before 18. */
const split: Importer = (node, to) => {
  const sizes = node.opset < 13 ? node.ints('split') : undefined;
  if (sizes) return emitAs(node, to, 'Split', [node.input(0), to.constant(`${node.name}/sizes`, s64(sizes))]);
  return emitAs(node, to, 'Split', node.inputs);
};

/** Pad had pads and value in attributes before opset 11. */
const pad: Importer = (node, to) => {
  if (node.opset >= 11) return emitAs(node, to, 'Pad', node.inputs);
  const pads = node.ints('pads') ?? node.fail('E_MODEL', 'the attribute "pads" is missing');
  const value = node.float('value', 0);
  const inputs = [node.input(0), to.constant(`${node.name}/pads`, s64(pads))];
  if (value !== 0) inputs.push(to.constant(`${node.name}/value`, scalarF32(value)));
  return emitAs(node, to, 'Pad', inputs);
};

/** TopK had k in an attribute before opset 10. */
const topK: Importer = (node, to) => {
  if (node.opset >= 10) return emitAs(node, to, 'TopK', node.inputs);
  const k = node.int('k') ?? node.fail('E_MODEL', 'the attribute "k" is missing');
  return emitAs(node, to, 'TopK', [node.input(0), to.constant(`${node.name}/k`, s64([k]))]);
};

/** Scatter is ScatterElements under its first name. */
const scatter: Importer = (node, to) => emitAs(node, to, 'ScatterElements', node.inputs);

export const scalarF32 = (value: number): Tensor => ({ dtype: 'f32', dims: [], data: Float32Array.of(value) });

/** Operators that take parts of tensors, and put them in. */
export const SLICING: Importers = { Slice: slice, Split: split, Pad: pad, TopK: topK, Scatter: scatter };

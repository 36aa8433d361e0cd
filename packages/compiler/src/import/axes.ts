import { s64 } from '@neural-engine/core';
import { emitAs, type Importer, type Importers } from './operator';

/** From `since` on the axes are an input; before, they were an attribute. */
const axesBecameInput =
  (since: number): Importer =>
  (node, to) => {
    const axes = node.opset < since ? node.ints('axes') : undefined;
    if (node.opset < since && node.inputs.length > 1)
      node.fail('E_MODEL', `it has ${node.inputs.length} inputs; opset ${node.opset} has 1`);
    emitAs(node, to, node.op, axes ? [node.input(0), to.constant(`${node.name}/axes`, s64(axes))] : node.inputs);
  };

const REDUCTIONS = [
  'ReduceMax',
  'ReduceMin',
  'ReduceMean',
  'ReduceProd',
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSum',
  'ReduceLogSumExp',
  'ReduceSumSquare',
];

/** Operators over listed axes. */
export const AXES: Importers = {
  Squeeze: axesBecameInput(13),
  Unsqueeze: axesBecameInput(13),
  ReduceSum: axesBecameInput(13),
  ...Object.fromEntries(REDUCTIONS.map((op) => [op, axesBecameInput(18)])),
};

import { emitAs, type Importer, type Importers } from './operator';

/** BatchNormalization: training outputs and the old `spatial` flag are refused. */
const batchNormalization: Importer = (node, to) => {
  if (node.opset < 9 && node.int('spatial', 1) !== 1) node.refuse('it is not spatial');
  if (node.outputs.slice(1).some((output) => output !== '')) node.refuse('training outputs');
  return emitAs(node, to, node.op, node.inputs);
};

/** GroupNormalization had scale and bias per group before opset 21. */
const groupNormalization: Importer = (node, to) => {
  if (node.opset < 21) node.refuse('scale and bias per group, as before opset 21');
  return emitAs(node, to, node.op, node.inputs);
};

/** Normalisations whose form changed. */
export const NORMALIZATION: Importers = { BatchNormalization: batchNormalization, GroupNormalization: groupNormalization };

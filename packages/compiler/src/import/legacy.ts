import { emitAs, type Importer, type Importers } from './operator';

/** Gemm needed its third operand before opset 11. */
const gemm: Importer = (node, to) => {
  if (node.opset < 11) node.input(2);
  return emitAs(node, to, node.op, node.inputs);
};

/** An If whose condition is known has been replaced by its branch before importers run. */
const openIf: Importer = (node) => node.refuse('its condition is not constant');

/** Operators of which only some forms are taken. */
export const LEGACY: Importers = { Gemm: gemm, If: openIf };

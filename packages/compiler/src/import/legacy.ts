import { emitAs, type Importer, type Importers } from './operator';

/** Gemm needed its third operand before opset 11. */
const gemm: Importer = (node, to) => {
  if (node.opset < 11) node.input(2);
  return emitAs(node, to, node.op, node.inputs);
};

/** Upsample and Resize are image operators; encoders have none. */
const notForImages: Importer = (node) => node.refuse('resampling of images is not supported');

/** Operators of which only some forms are taken. */
export const LEGACY: Importers = { Gemm: gemm, Upsample: notForImages, Resize: notForImages };

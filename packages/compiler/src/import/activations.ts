import { emitAs, type Importer, type Importers } from './operator';
import { scalarF32 } from './slicing';

/** Before opset 13 softmax flattened everything from `axis` (1 unless given) on; that equals one axis only at the last one. */
const softmax: Importer = (node, to) => {
  if (node.opset >= 13) return emitAs(node, to, node.op, node.inputs);
  const axis = node.int('axis', 1);
  const x = node.input(0);
  const rank = to.rankOf(x);
  if (axis === -1 || (rank !== undefined && (axis === rank - 1 || rank <= 1))) {
    return to.emit(node, node.op, [x], { axis: -1 }, node.outputs);
  }
  if (rank !== undefined && (axis < -rank || axis >= rank)) node.fail('E_MODEL', `axis ${axis} is outside [${-rank}, ${rank - 1}]`);
  if (rank === undefined && axis < 0) node.refuse(`axis ${axis} of a value of unknown rank, in the meaning of opset ${node.opset}`);
  const shape = to.emitOne(node, 'Shape', [x]);
  const flat = to.emitOne(node, 'Flatten', [x], { axis });
  const result = to.emitOne(node, node.op, [flat], { axis: -1 });
  return to.emit(node, 'Reshape', [result, shape], {}, node.outputs);
};

/** Clip had its bounds in attributes before opset 11. */
const clip: Importer = (node, to) => {
  if (node.opset >= 11) return emitAs(node, to, 'Clip', node.inputs);
  const bound = (name: string): string => {
    const value = node.float(name);
    return value === undefined ? '' : to.constant(`${node.name}/${name}`, scalarF32(value));
  };
  return emitAs(node, to, 'Clip', [node.input(0), bound('min'), bound('max')]);
};

/** Dropout in inference gives back its input, and a mask of ones where one is asked for. */
const dropout: Importer = (node, to) => {
  node.take('ratio');
  node.take('seed');
  const training = node.inputs[2];
  if (training && Number(to.constantOf(training)?.data[0] ?? 1) !== 0) node.refuse('training mode');
  if (node.outputs[0]) to.emit(node, 'Identity', [node.input(0)], {}, [node.outputs[0]]);
  const mask = node.outputs[1];
  if (!mask) return;
  const shape = to.emitOne(node, 'Shape', [node.input(0)]);
  const isBool = node.opset >= 10;
  const one = isBool
    ? ({ dtype: 'bool', dims: [1], data: Uint8Array.of(1) } as const)
    : ({ dtype: 'f32', dims: [1], data: Float32Array.of(1) } as const);
  to.emit(node, 'ConstantOfShape', [shape], { value: one }, [mask]);
};

/** Activations and what else changed its form. */
export const ACTIVATIONS: Importers = { Softmax: softmax, LogSoftmax: softmax, Hardmax: softmax, Clip: clip, Dropout: dropout };

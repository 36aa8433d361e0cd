import type { Node } from '../../graph';
import { type Lowering, refuse } from './lowering';

/** What an additive mask is for when the file does not say. */
export const PADDING_VALUE = -10000;

/**
 * Word, position and token-type embeddings: ids flattened, position rows cut to the sequence, one Gather a table with the earlier sum
 * added, and the result as rows.
 */
export function lowerEmbeddings(lower: Lowering, node: Node): void {
  const { file } = lower;
  const [ids, word, position, types, typeTable] = node.inputs as [string, string, string?, string?, string?];
  if (!position) refuse('it has no position table');
  if (typeTable && !types) refuse('it adds a token type that is not an input');
  const hidden = lower.width(node.outputs[0]!);
  const tokens = lower.operand(node, ids, ['input'], false).tensor;
  const rows = file.tensor('position_embeddings/after/reshape');
  const positions = file.tensor('position_embeddings/reshape');
  file.add('position_embeddings/after/reshape', 'Reshape', [lower.constantName(position, 'its position table'), tokens], rows, {
    dst_shape: `1,-1,${hidden}`,
    dims: 1,
  });
  file.add('position_embeddings/reshape', 'Reshape', [rows], positions, { dst_shape: '1,-1' });
  const flatten = (name: string, tensor: string): string => {
    const flat = file.tensor(`${name}/reshape`);
    file.add(`${name}/reshape`, 'Reshape', [tensor], flat, { dst_shape: -1 });
    return flat;
  };
  const gather = (name: string, inputs: string[], output: string): string => {
    const attributes = {
      axis: 0,
      batch_dims: 0,
      append_op: 'binary_add',
      reshape: `-1,-1,${hidden}`,
      reshape_dims: '0,1',
      mul: '1,2',
    };
    file.add(`${name}/gather`, 'Gather', inputs, output, attributes);
    return output;
  };
  const flatTokens = flatten('word_embeddings', tokens);
  let sum = positions;
  let lender = tokens;
  if (typeTable) {
    lender = lower.operand(node, types!, ['input'], false).tensor;
    const flatTypes = flatten('token_type_embeddings', lender);
    const table = lower.constantName(typeTable, 'its token-type table');
    sum = gather('token_type_embeddings', [flatTypes, table, sum, lender], file.tensor('token_type_embeddings/gather'));
  }
  const tensor = gather(
    'word_embeddings',
    [flatTokens, lower.constantName(word, 'its word table'), sum, lender],
    file.tensor(node.outputs[0]!),
  );
  lower.setForm(node.outputs[0]!, { tensor, kind: 'rows', transposed: false });
}

/** The mask of padded keys, made once for all attentions, with their number of heads. */
export function lowerPaddingMask(lower: Lowering, node: Node): void {
  const output = node.outputs[0]!;
  const heads = lower.headsOfMask(output);
  const mask = lower.operand(node, node.inputs[0]!, ['input'], false).tensor;
  const dtype = lower.graph.value(node.inputs[0]!).dtype;
  if (dtype !== 's32' && dtype !== 's64') refuse(`its mask is ${dtype}, not integer`);
  // At −10000 nothing is left of a key, and at the least f32 the original's 8-bit softmax gives wrong probabilities.
  const value = Math.max(node.attributes['value'] as number, PADDING_VALUE);
  const tensor = lower.file.tensor(output);
  lower.file.add(node.name, 'PaddingSequence', [mask], tensor, {
    dst_shape: `-1,${heads},0,-1`,
    dims: 1,
    ...(value === PADDING_VALUE ? {} : { padding_value: value }),
  });
  lower.setForm(output, { tensor, kind: 'mask', transposed: false, heads });
}

import { allocate, type Dims, elementCount, type Tensor, type TypedArray } from '@neural-engine/core';
import type { Model } from '../model';
import { rowsApart } from './rows-apart';

/** How runs of a model can be joined into one, and their outputs told apart again. */
export interface Batching {
  /** The symbol of axis 0 that all inputs and outputs share. */
  readonly batch: string;
  /** Shorter sequences may be padded, because masked tokens are left out of all work. */
  readonly padding?: Padding;
}

interface Padding {
  /** The symbol of the sequence axis. */
  readonly sequence: string;
  /** Tokens a sequence may have at most, as the position table has rows. */
  readonly most: number;
}

/** Padded lengths are rounded up to this, so that few plans serve all lengths. */
const LENGTH_STEP = 32;

/** Row-major operators whose result for a token cannot depend on how many others there are. Others might average or normalise over all. */
const BLIND_TO_LENGTH = new Set(['Split', 'Squeeze', 'Identity', 'Cast', 'Gather']);

/** How runs of this model can be joined, or undefined when they cannot: every input and output must have the same symbol in front, and no row see others. */
export function batchingOf(model: Model): Batching | undefined {
  const ports = [...model.inputs, ...model.outputs];
  const batch = model.inputs[0]?.shape[0];
  if (typeof batch !== 'string' || ports.some((port) => port.shape[0] !== batch || port.shape.slice(1).includes(batch))) return undefined;
  if (!rowsApart(model.prepared.graph, batch)) return undefined;
  const padding = paddingOf(model);
  return { batch, ...(padding ? { padding } : {}) };
}

/** Padding is invisible where all inputs are `[batch, sequence]`, one is the mask, and every panel of tokens leaves masked ones out. */
function paddingOf({ prepared, inputs, outputs }: Model): Padding | undefined {
  const sequence = inputs[0]!.shape[1];
  const tokens = prepared.components.filter((component) => component.kind === 'tokens');
  if (typeof sequence !== 'string' || inputs.some(({ shape }) => shape.length !== 2 || shape[1] !== sequence)) return undefined;
  if (tokens.length === 0 || !tokens.every(({ pack, mask }) => pack && mask !== undefined && inputs.some(({ name }) => name === mask)))
    return undefined;
  // A padded position must reach no output but as a row that is cut off: rows of tokens, or one row of each sequence.
  if (outputs.some(({ shape }) => shape.indexOf(sequence) > 1 || shape.slice(2).includes(sequence))) return undefined;
  let most = Number.MAX_SAFE_INTEGER;
  for (const node of prepared.nodes) {
    if (node.kind === 'generic' && !BLIND_TO_LENGTH.has(node.node.op)) return undefined;
    if (node.kind === 'panel' && node.op.op === 'embed' && node.op.position !== null)
      most = Math.min(most, prepared.tables.get(node.op.position)?.dims[0] ?? most);
  }
  return { sequence, most };
}

/** Runs with equal keys can be joined. */
export function batchKey(batching: Batching | undefined, inputs: readonly Tensor[]): string {
  if (batching?.padding) return String(paddedLength(batching.padding, inputs[0]!.dims[1]!));
  return inputs.map(({ dims }) => dims.slice(batching ? 1 : 0).join('x')).join(';');
}

function paddedLength({ most }: Padding, length: number): number {
  return length > most ? length : Math.min(most, Math.ceil(length / LENGTH_STEP) * LENGTH_STEP);
}

/** One run of several; rows in the order given. */
export function joinInputs(batching: Batching, runs: readonly (readonly Tensor[])[]): Tensor[] {
  if (runs.length === 1) return [...runs[0]!];
  const length = batching.padding && paddedLength(batching.padding, Math.max(...runs.map((inputs) => inputs[0]!.dims[1]!)));
  const rows = runs.reduce((sum, inputs) => sum + inputs[0]!.dims[0]!, 0);
  return runs[0]!.map((first, index): Tensor => {
    const dims = [rows, ...(length === undefined ? first.dims.slice(1) : [length])];
    const data = allocate(first.dtype, elementCount(dims, 'batch', 'run'));
    const width = data.length / Math.max(rows, 1);
    let row = 0;
    for (const inputs of runs) {
      const { data: own, dims: ownDims } = inputs[index]!;
      const ownWidth = own.length / Math.max(ownDims[0]!, 1);
      for (let r = 0; r < ownDims[0]!; r++, row++) setAt(data, own.subarray(r * ownWidth, (r + 1) * ownWidth), row * width);
    }
    return { dtype: first.dtype, dims, data };
  });
}

/** The outputs of one of several joined runs: `rows` from `first` on, sequences cut to `length`. */
export function outputsOf(
  outputs: Readonly<Record<string, Tensor>>,
  model: Model,
  batching: Batching,
  { first, rows, length }: { first: number; rows: number; length: number },
): Record<string, Tensor> {
  const sequence = batching.padding?.sequence;
  return Object.fromEntries(
    model.outputs.map(({ name, shape }) => {
      const { dtype, dims, data } = outputs[name]!;
      const isRagged = sequence !== undefined && shape[1] === sequence;
      const own: Dims = isRagged ? [rows, length, ...dims.slice(2)] : [rows, ...dims.slice(1)];
      const width = data.length / Math.max(dims[0]!, 1);
      const cut = isRagged ? (width / Math.max(dims[1]!, 1)) * length : width;
      const result = allocate(dtype, cut * rows);
      for (let r = 0; r < rows; r++) setAt(result, data.subarray((first + r) * width, (first + r) * width + cut), r * cut);
      return [name, { dtype, dims: own, data: result }];
    }),
  );
}

/** `set` of arrays whose types are known to be equal. */
function setAt(target: TypedArray, source: TypedArray, offset: number): void {
  (target as Float32Array).set(source as Float32Array, offset);
}

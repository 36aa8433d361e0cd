import {
  type Dim,
  type Dims,
  type DType,
  dtypeBytes,
  EngineError,
  elementCount,
  isStatic,
  LIMITS,
  type Shape,
  type Tensor,
} from '@neural-engine/core';
import type { Graph } from './graph';
import { inferNode, nodeError } from './infer-node';
import type { KnownValue } from './schema';
import { schemaOf } from './schemas/index';

/** A value whose dims are all numbers. */
export interface InferredValue {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: Dims;
  /** The elements, when they are known: constants, shape arithmetic, and what is computed from the given values. */
  readonly constant?: Tensor;
}

/** Every value of a graph by name. */
export type InferResult = ReadonlyMap<string, InferredValue>;

/**
 * Infers the shapes of all values.
 *
 * Without `bindings` dtype and shape of every value are written into the graph, with symbols where inputs have symbols. A dim that cannot
 * be inferred keeps what the graph said of it before. The bounds of slices are taken to lie within symbolic axes.
 *
 * With `bindings`, the dims of every graph input, the graph is left as it is, and the dims and known elements of every value are
 * returned: what a planner needs for a new input shape. `values` are inputs whose elements are known; {@link shapeDataInputs} names
 * those that shapes depend on. The graph has passed the verifier before; operands and attributes are not checked again.
 *
 * @throws {EngineError} E_REQUEST bindings that contradict the graph's inputs or each other; E_SHAPE, E_MODEL, E_LIMIT, E_QUANT a node
 * that does not fit its operands; E_UNSUPPORTED an unknown operator, or a shape that depends on unknown elements.
 */
export function inferShapes(graph: Graph): void;
export function inferShapes(graph: Graph, bindings: Readonly<Record<string, Dims>>, values?: ReadonlyMap<string, Tensor>): InferResult;
export function inferShapes(
  graph: Graph,
  bindings?: Readonly<Record<string, Dims>>,
  values?: ReadonlyMap<string, Tensor>,
): InferResult | undefined {
  if (bindings) return inferConcrete(graph, bindings, values);
  annotate(graph);
  return undefined;
}

function annotate(graph: Graph): void {
  const found = new Map<string, KnownValue>();
  const lookup = (name: string): KnownValue => found.get(name) ?? graph.value(name);
  for (const node of graph.nodes) {
    const outputs = inferNode(node, lookup);
    for (const [i, name] of node.outputs.entries()) {
      const known = outputs[i];
      if (!name || !known) continue;
      const value = graph.value(name);
      const shape = refine(known.shape, value.shape);
      found.set(name, shape === known.shape ? known : { ...known, ...(shape && { shape }) });
      value.dtype = known.dtype;
      value.shape = shape;
    }
  }
}

/** The inferred shape, with unknown dims taken from what was declared. */
function refine(inferred: Shape | undefined, declared: Shape | undefined): Shape | undefined {
  if (!inferred) return declared;
  if (!declared || declared.length !== inferred.length || !inferred.includes(null)) return inferred;
  return inferred.map((dim, i) => dim ?? declared[i]!);
}

function inferConcrete(graph: Graph, bindings: Readonly<Record<string, Dims>>, values?: ReadonlyMap<string, Tensor>): InferResult {
  const symbols = new Map<string, number>();
  const found = new Map<string, KnownValue & InferredValue>();
  const put = (name: string, dtype: DType, dims: Dims, constant: Tensor | undefined): void => {
    found.set(name, constant ? { name, dtype, shape: dims, dims, constant } : { name, dtype, shape: dims, dims });
  };
  for (const { name, dtype, constant } of graph.values.values()) if (constant) put(name, dtype, constant.dims, constant);
  for (const name of Object.keys(bindings)) if (!graph.inputs.includes(name)) throw request(name, 'the model has no such input');
  for (const name of graph.inputs) {
    const { dtype, shape } = graph.value(name);
    const dims = Object.hasOwn(bindings, name) ? bindings[name]! : undefined;
    if (!dims) throw request(name, 'its dims are missing');
    bind(name, dtype, shape, dims, symbols);
    put(name, dtype, dims, values?.get(name));
  }
  const lookup = (name: string): KnownValue => found.get(name) ?? graph.value(name);
  for (const node of graph.nodes) {
    const outputs = inferNode(node, lookup, { stage: 'plan', check: false });
    for (let i = 0; i < node.outputs.length; i++) {
      const name = node.outputs[i]!;
      const known = outputs[i];
      if (!name || !known) continue;
      const dims = known.shape && isStatic(known.shape) ? known.shape : declaredDims(known.shape, graph.value(name).shape, symbols);
      if (!dims)
        throw nodeError(node, 'E_UNSUPPORTED', 'plan', `the shape of "${name}" depends on elements that are unknown${hint(graph, values)}`);
      put(name, known.dtype, dims, known.constant);
    }
  }
  return found;
}

/** Unknown dims from the declared shape, symbols replaced by what they are bound to; undefined where that leaves one unknown. */
function declaredDims(inferred: Shape | undefined, declared: Shape | undefined, symbols: ReadonlyMap<string, number>): Dims | undefined {
  const shape = refine(inferred, declared)?.map((dim): Dim => (typeof dim === 'string' ? (symbols.get(dim) ?? null) : dim));
  return shape && isStatic(shape) ? shape : undefined;
}

function hint(graph: Graph, values: ReadonlyMap<string, Tensor> | undefined): string {
  const missing = shapeDataInputs(graph).filter((name) => !values?.has(name));
  return missing.length > 0 ? `: the elements of input "${missing.join('", "')}" decide it` : '';
}

const request = (input: string, message: string): EngineError =>
  new EngineError('E_REQUEST', 'plan', `input "${input}": ${message}`, { where: input });

/** Checks the dims of one input against its shape and binds its symbols. */
function bind(name: string, dtype: DType, shape: Shape | undefined, dims: Dims, symbols: Map<string, number>): void {
  for (const dim of dims) if (!Number.isSafeInteger(dim) || dim < 0) throw request(name, `${dim} in [${dims.join(', ')}] is no dim`);
  const bytes = elementCount(dims, `input "${name}"`, 'plan') * dtypeBytes(dtype);
  if (bytes > LIMITS.arenaBytes) {
    throw new EngineError(
      'E_LIMIT',
      'plan',
      `input "${name}": [${dims.join(', ')}] has ${bytes} bytes, above the limit of ${LIMITS.arenaBytes}`,
      {
        where: name,
      },
    );
  }
  if (!shape) return;
  const expected = (): string => `expected [${shape.map((dim) => dim ?? '?').join(', ')}], got [${dims.join(', ')}]`;
  if (shape.length !== dims.length) throw request(name, expected());
  for (let i = 0; i < dims.length; i++) {
    const want = shape[i]!;
    const got = dims[i]!;
    if (typeof want === 'number' && want !== got) throw request(name, expected());
    if (typeof want !== 'string') continue;
    const bound = symbols.get(want);
    if (bound !== undefined && bound !== got) throw request(name, `${expected()}, where "${want}" is already ${bound}`);
    symbols.set(want, got);
  }
}

/**
 * The graph inputs whose elements, not only their dims, decide shapes: what a plan depends on besides the dims.
 * A value that only passes through `Shape` or `Size` does not count.
 */
export function shapeDataInputs(graph: Graph): string[] {
  const producers = graph.producers();
  const open: string[] = [];
  for (const node of graph.nodes) {
    for (const index of schemaOf(node.op)?.valueInputs ?? []) if (node.inputs[index]) open.push(node.inputs[index]);
  }
  const seen = new Set<string>();
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const producer = producers.get(name);
    if (producer && producer.op !== 'Shape' && producer.op !== 'Size') open.push(...producer.inputs.filter((input) => input !== ''));
  }
  return graph.inputs.filter((name) => seen.has(name));
}

import { bytesOf, type DType, EngineError, type TypedArray, viewBytes } from '@neural-engine/core';
import { Graph } from '@neural-engine/ir';
import type { Prepared } from './prepared';

/** Raised whenever what is stored changes its form, so that old packed files are made anew. */
const FORM = 5;

const DTYPE_OF: Readonly<Record<string, DType>> = {
  Float32Array: 'f32',
  Float64Array: 'f64',
  Uint8Array: 'u8',
  Int8Array: 's8',
  Uint16Array: 'u16',
  Int16Array: 's16',
  Uint32Array: 'u32',
  Int32Array: 's32',
  BigUint64Array: 'u64',
  BigInt64Array: 's64',
};

/**
 * A prepared model as text, to be kept beside its packed weights. Infinities and NaN survive: arrays are stored as bytes.
 *
 * @param origin what the weights were made of, in the caller's words.
 */
export function serializePrepared(prepared: Prepared, origin = ''): string {
  const { graph, panels, tensors, tables, ...rest } = prepared;
  const { name, nodes, inputs, outputs } = graph;
  const plain = {
    ...rest,
    graph: { name, nodes, inputs, outputs, values: [...graph.values.values()] },
    panels: [...panels],
    tensors: [...tensors],
    tables: [...tables],
  };
  return JSON.stringify({ form: FORM, origin, prepared: plain }, (_key, value: unknown) => {
    if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) };
    if (!ArrayBuffer.isView(value)) return value;
    const data = value as TypedArray;
    return { $typed: DTYPE_OF[data.constructor.name], hex: Buffer.from(bytesOf(data)).toString('hex') };
  });
}

/** @throws {EngineError} E_IR the text is not of this form (the caller then prepares anew). */
export function deserializePrepared(text: string): { prepared: Prepared; origin: string } {
  const stale = (cause?: unknown): never => {
    throw new EngineError('E_IR', 'load', 'the packed file was written by another version', { cause });
  };
  let parsed: { form?: number; origin?: string; prepared?: Record<string, unknown> };
  try {
    parsed = JSON.parse(text, (_key, value: unknown) => {
      if (typeof value !== 'object' || value === null) return value;
      if ('$number' in value) return Number(value.$number);
      if ('$typed' in value && 'hex' in value)
        return viewBytes(value.$typed as DType, Uint8Array.from(Buffer.from(String(value.hex), 'hex')));
      return value;
    });
  } catch (cause) {
    return stale(cause);
  }
  if (parsed.form !== FORM || typeof parsed.origin !== 'string' || !parsed.prepared) return stale();
  const {
    graph: stored,
    panels,
    tensors,
    tables,
    ...rest
  } = parsed.prepared as unknown as Omit<Prepared, 'graph' | 'panels' | 'tensors' | 'tables'> & {
    graph: Pick<Graph, 'name' | 'nodes' | 'inputs' | 'outputs'> & { values: Iterable<Parameters<Graph['addValue']>[0]> };
    panels: [string, never][];
    tensors: [string, number][];
    tables: [number, never][];
  };
  const graph = new Graph(stored.name);
  for (const value of stored.values) graph.addValue(value);
  graph.nodes = stored.nodes;
  graph.inputs = stored.inputs;
  graph.outputs = stored.outputs;
  const prepared = { ...rest, graph, panels: new Map(panels), tensors: new Map(tensors), tables: new Map(tables) };
  return { prepared, origin: parsed.origin };
}

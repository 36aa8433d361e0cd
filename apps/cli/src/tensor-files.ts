import { allocate, EngineError, elementCount, type Tensor } from '@neural-engine/core';
import type { Port } from '@neural-engine/runtime';
import { readBytes } from './files';
import { readNpz, writeNpz } from './npz';

/** Reads tensors by name from `.npz`, or from JSON as nested numbers in the dtypes that the model's inputs declare. */
export async function readTensors(path: string, ports: readonly Port[]): Promise<Record<string, Tensor>> {
  const bytes = await readBytes(path);
  if (!path.endsWith('.json')) return Object.fromEntries(readNpz(bytes));
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new EngineError('E_PARSE', 'read', `"${path}" is no JSON: ${cause instanceof Error ? cause.message : ''}`, {
      where: path,
      cause,
    });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new EngineError('E_PARSE', 'read', `"${path}": expected an object of arrays`, { where: path });
  return Object.fromEntries(
    Object.entries(parsed).map(([name, value]) => [name, nested(name, value, ports.find((port) => port.name === name)?.dtype ?? 'f32')]),
  );
}

function nested(name: string, value: unknown, dtype: Tensor['dtype']): Tensor {
  const dims: number[] = [];
  for (let at = value; Array.isArray(at); at = at[0]) {
    dims.push(at.length);
    if (dims.length > 16) throw new EngineError('E_LIMIT', 'read', `input "${name}" is nested more than 16 deep`, { where: name });
  }
  const flat = (Array.isArray(value) ? value.flat(16) : [value]) as unknown[];
  if (flat.length !== elementCount(dims, `input "${name}"`, 'read') || !flat.every((element) => typeof element === 'number')) {
    throw new EngineError('E_REQUEST', 'read', `input "${name}": expected nested arrays of numbers of one length each`, { where: name });
  }
  const data = allocate(dtype, flat.length);
  const wide = data instanceof BigInt64Array || data instanceof BigUint64Array;
  flat.forEach((element, i) => {
    if (wide && !Number.isSafeInteger(element))
      throw new EngineError('E_REQUEST', 'read', `input "${name}": ${String(element)} is no integer that can be read exactly`, {
        where: name,
      });
    (data as { [index: number]: number | bigint })[i] = wide ? BigInt(element as number) : (element as number);
  });
  return { dtype, dims, data };
}

/** Tensors as JSON text: name → { dtype, dims, data }. */
export const tensorsToJson = (tensors: Readonly<Record<string, Tensor>>): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries(tensors).map(([name, { dtype, dims, data }]) => [
        name,
        { dtype, dims, data: Array.from(data as Float32Array, Number) },
      ]),
    ),
  );

/** Tensors as the bytes of a file: JSON where its name says so, else `.npz`. */
export const tensorsToFile = (path: string, tensors: Readonly<Record<string, Tensor>>): string | Uint8Array =>
  path.endsWith('.json') ? tensorsToJson(tensors) : writeNpz(Object.entries(tensors));

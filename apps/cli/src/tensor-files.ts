import { allocate, EngineError, elementCount, isFloat, type Tensor, toBf16, toF16, widen } from '@neural-engine/core';
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
  const refuse = (message: string): never => {
    throw new EngineError('E_REQUEST', 'read', `input "${name}": ${message}`, { where: name });
  };
  const dims: number[] = [];
  for (let at = value; Array.isArray(at); at = at[0]) {
    dims.push(at.length);
    if (dims.length > 16) throw new EngineError('E_LIMIT', 'read', `input "${name}" is nested more than 16 deep`, { where: name });
  }
  const data = allocate(dtype, elementCount(dims, `input "${name}"`, 'read'));
  let count = 0;
  const take = (at: unknown, axis: number): void => {
    if (axis < dims.length && Array.isArray(at) && at.length === dims[axis]) for (const each of at) take(each, axis + 1);
    else if (axis === dims.length && (typeof at === 'number' || (dtype === 'bool' && typeof at === 'boolean'))) put(Number(at));
    else refuse(`expected nested arrays of ${dtype === 'bool' ? 'true and false' : 'numbers'} of one length each`);
  };
  const put = (element: number): void => {
    const wide = data instanceof BigInt64Array || data instanceof BigUint64Array;
    if (wide && !Number.isSafeInteger(element)) refuse(`${element} is no integer that can be read exactly`);
    const raw = dtype === 'f16' ? toF16(element) : dtype === 'bf16' ? toBf16(element) : element;
    (data as { [index: number]: number | bigint })[count] = wide ? BigInt(element) : raw;
    // What does not fit an integer has wrapped round or lost its fraction now.
    if (!isFloat(dtype) && (Number(data[count]) !== element || (dtype === 'bool' && element > 1))) refuse(`${element} is no ${dtype}`);
    count++;
  };
  take(value, 0);
  return { dtype, dims, data };
}

/** Tensors as JSON text: name → { dtype, dims, data }. */
export const tensorsToJson = (tensors: Readonly<Record<string, Tensor>>): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries(tensors).map(([name, { dtype, dims, data }]) => [
        name,
        {
          dtype,
          dims,
          data: Array.from((dtype === 'f16' || dtype === 'bf16' ? widen(data as Uint16Array, dtype) : data) as Float32Array, Number),
        },
      ]),
    ),
  );

/** Tensors as the bytes of a file: JSON where its name says so, else `.npz`. */
export const tensorsToFile = (path: string, tensors: Readonly<Record<string, Tensor>>): string | Uint8Array =>
  path.endsWith('.json') ? tensorsToJson(tensors) : writeNpz(Object.entries(tensors));

import {
  allocate,
  type Dims,
  type DType,
  EngineError,
  elementCount,
  formatShape,
  type Shape,
  type Tensor,
  type TypedArray,
} from '@neural-engine/core';

/** An input or output of a model. */
export interface Port {
  readonly name: string;
  readonly dtype: DType;
  /** Symbols stand for dimensions that each run may choose; the same symbol means the same number. */
  readonly shape: Shape;
}

/** A tensor as ONNX Runtime spells it; any object of this shape is taken. */
export interface OrtLikeTensor {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}

export type Feed = Tensor | OrtLikeTensor;
export type Feeds = Readonly<Record<string, Feed>>;

const ORT_TYPES: Readonly<Record<string, DType>> = {
  float32: 'f32',
  float64: 'f64',
  float16: 'f16',
  bfloat16: 'bf16',
  uint8: 'u8',
  int8: 's8',
  uint16: 'u16',
  int16: 's16',
  uint32: 'u32',
  int32: 's32',
  uint64: 'u64',
  int64: 's64',
  bool: 'bool',
};

const reject = (message: string, where: string): never => {
  throw new EngineError('E_REQUEST', 'run', message, { where });
};

/**
 * Checks feeds against the model's inputs and brings them into order and dtype.
 *
 * @throws {EngineError} E_REQUEST naming the input, what was expected and what came: missing, extra, misshaped, of another dtype, or one
 * symbol bound to two numbers.
 */
export function bindFeeds(ports: readonly Port[], feeds: Feeds): Tensor[] {
  if (typeof feeds !== 'object' || feeds === null)
    reject(`feeds must be an object of tensors, got ${feeds === null ? 'null' : typeof feeds}`, 'feeds');
  const names = new Set(ports.map((port) => port.name));
  for (const name of Object.keys(feeds)) {
    if (!names.has(name)) reject(`the model has no input "${name}"; its inputs are ${[...names].join(', ')}`, name);
  }
  const bound = new Map<string, { value: number; by: string }>();
  return ports.map((port) => {
    if (!Object.hasOwn(feeds, port.name))
      reject(`input "${port.name}" is missing: expected ${port.dtype} ${formatShape(port.shape)}`, port.name);
    const tensor = readFeed(port, feeds[port.name]!);
    bindShape(port, tensor.dims, bound);
    return tensor;
  });
}

function bindShape(port: Port, dims: Dims, bound: Map<string, { value: number; by: string }>): void {
  const mismatch = (): never =>
    reject(`input "${port.name}": expected shape ${formatShape(port.shape)}, got ${formatShape(dims)}`, port.name);
  if (dims.length !== port.shape.length) mismatch();
  port.shape.forEach((dim, axis) => {
    const value = dims[axis]!;
    if (typeof dim === 'number' && dim !== value) mismatch();
    if (typeof dim !== 'string') return;
    const earlier = bound.get(dim);
    if (earlier && earlier.value !== value)
      reject(`"${dim}" is ${earlier.value} in input "${earlier.by}" and ${value} in input "${port.name}"`, port.name);
    bound.set(dim, { value, by: port.name });
  });
}

function readFeed(port: Port, feed: Feed): Tensor {
  if (typeof feed !== 'object' || feed === null)
    reject(`input "${port.name}": expected a tensor with data and dims, got ${String(feed)}`, port.name);
  const { data, dims } = feed as { data: unknown; dims: unknown };
  if (!Array.isArray(dims) || !dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    reject(`input "${port.name}": dims must be non-negative integers, got ${JSON.stringify(dims)}`, port.name);
  }
  if (!ArrayBuffer.isView(data) || data instanceof DataView) reject(`input "${port.name}": data must be a typed array`, port.name);
  const array = data as TypedArray;
  if (array.length > 0 ? array.byteLength === 0 : (array.buffer as { detached?: boolean }).detached) {
    throw new EngineError('E_USAGE', 'run', `input "${port.name}": its buffer was detached`, { where: port.name });
  }
  const declared = 'dtype' in feed ? feed.dtype : ORT_TYPES[(feed as OrtLikeTensor).type];
  if (!declared) reject(`input "${port.name}": "${String((feed as OrtLikeTensor).type)}" is no known type`, port.name);
  const count = elementCount(dims as number[], `input "${port.name}"`, 'run');
  if (array.length !== count)
    reject(`input "${port.name}": dims ${formatShape(dims as number[])} need ${count} elements, the data has ${array.length}`, port.name);
  return { dtype: port.dtype, dims: dims as number[], data: convert(port, declared!, array) };
}

/** Integers of 32 and 64 bits stand for each other; everything else must be what the model declares. */
function convert(port: Port, dtype: DType, data: TypedArray): TypedArray {
  const expected = allocate(port.dtype, 0);
  if (dtype === port.dtype && data.constructor === expected.constructor) return data;
  if (port.dtype === 's64' && data instanceof Int32Array) return BigInt64Array.from(data, BigInt);
  if (port.dtype === 's32' && data instanceof BigInt64Array) {
    return Int32Array.from(data, (element) => {
      const number = Number(element);
      if (number !== (number | 0)) reject(`input "${port.name}": ${element} does not fit 32 bits`, port.name);
      return number;
    });
  }
  return reject(
    `input "${port.name}": expected ${port.dtype} (${expected.constructor.name}), got ${dtype} (${data.constructor.name})`,
    port.name,
  );
}

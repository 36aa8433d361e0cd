import { EngineError, type Tensor, type TypedArray } from '@neural-engine/core';
import type { WeightSpec } from '@neural-engine/kernels';

/** Collects what is to be packed and hands out indices; the same data asked for twice is packed once. */
export class WeightSpecs {
  readonly list: WeightSpec[] = [];
  private readonly seen = new Map<TypedArray, Map<string, number>>();

  tensor(value: Tensor): number {
    if (value.dtype === 'string') throw new EngineError('E_UNSUPPORTED', 'load', 'string tensors cannot be weights');
    return this.add(`tensor ${value.dtype} ${value.dims.join()}`, {
      kind: 'tensor',
      dtype: value.dtype,
      dims: value.dims,
      data: value.data,
    });
  }

  f32(values: ArrayLike<number>): number {
    const data = Float32Array.from(values);
    return this.tensor({ dtype: 'f32', dims: [data.length], data });
  }

  s32(values: ArrayLike<number>): number {
    const data = Int32Array.from(values);
    return this.tensor({ dtype: 's32', dims: [data.length], data });
  }

  u8(data: Uint8Array): number {
    return this.tensor({ dtype: 'u8', dims: [data.length], data });
  }

  linear(spec: Exclude<WeightSpec, { kind: 'tensor' }>): number {
    return this.add(`${spec.kind} ${spec.format} ${spec.m} ${spec.k} ${spec.order}`, spec);
  }

  private add(key: string, spec: WeightSpec): number {
    const byKey = this.seen.get(spec.data) ?? new Map<string, number>();
    this.seen.set(spec.data, byKey);
    const found = byKey.get(key);
    if (found !== undefined) return found;
    byKey.set(key, this.list.length);
    this.list.push(spec);
    return this.list.length - 1;
  }
}

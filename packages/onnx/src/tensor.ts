import { type TypedArray, viewBytes } from '@neural-engine/core';
import type { Notes } from './decode/context';
import { isEngineDtype } from './dtypes';
import { fail } from './errors';
import type { OnnxDType, OnnxExternalData, OnnxTensor } from './types';

abstract class TensorBase implements OnnxTensor {
  abstract readonly byteLength: number;
  readonly docString?: string;
  readonly metadata?: Map<string, string>;
  private aligned: WeakRef<TypedArray> | undefined;

  constructor(
    readonly name: string,
    readonly dtype: OnnxDType,
    readonly dims: number[],
    notes: Notes,
  ) {
    if (notes.docString !== undefined) this.docString = notes.docString;
    if (notes.metadata !== undefined) this.metadata = notes.metadata;
  }

  abstract bytes(): Uint8Array;

  data(): TypedArray {
    const dtype = this.dtype;
    if (dtype === 'string' || !isEngineDtype(dtype)) {
      return fail(
        'E_UNSUPPORTED',
        'read',
        `tensor ${JSON.stringify(this.name)}`,
        `${dtype} elements have no typed array; bytes() or strings show them`,
      );
    }
    const known = this.aligned?.deref();
    if (known !== undefined) return known;
    const view = viewBytes(dtype, this.bytes());
    this.aligned = new WeakRef(view);
    return view;
  }
}

/** A tensor whose bytes are in memory. */
export class InlineTensor extends TensorBase {
  readonly byteLength: number;

  constructor(
    name: string,
    dtype: OnnxDType,
    dims: number[],
    private readonly elements: Uint8Array,
    notes: Notes = {},
  ) {
    super(name, dtype, dims, notes);
    this.byteLength = elements.byteLength;
  }

  bytes(): Uint8Array {
    return this.elements;
  }
}

/** A tensor whose bytes are read from another file, each time unless somebody still holds them. */
export class ExternalTensor extends TensorBase {
  private held: WeakRef<Uint8Array> | undefined;

  constructor(
    name: string,
    dtype: OnnxDType,
    dims: number[],
    readonly external: OnnxExternalData,
    private readonly read: () => Uint8Array,
    notes: Notes = {},
  ) {
    super(name, dtype, dims, notes);
  }

  get byteLength(): number {
    return this.external.length;
  }

  bytes(): Uint8Array {
    const held = this.held?.deref();
    if (held !== undefined) return held;
    const bytes = this.read();
    this.held = new WeakRef(bytes);
    return bytes;
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A tensor of strings. */
export class StringTensor extends TensorBase {
  readonly byteLength: number;

  constructor(
    name: string,
    dims: number[],
    readonly stringBytes: readonly Uint8Array[],
    notes: Notes = {},
  ) {
    super(name, 'string', dims, notes);
    this.byteLength = stringBytes.reduce((sum, bytes) => sum + bytes.byteLength, 0);
  }

  get strings(): readonly string[] {
    return this.stringBytes.map((bytes) => decoder.decode(bytes));
  }

  bytes(): Uint8Array {
    return fail('E_UNSUPPORTED', 'read', `tensor ${JSON.stringify(this.name)}`, 'strings have no fixed bytes; strings shows them');
  }
}

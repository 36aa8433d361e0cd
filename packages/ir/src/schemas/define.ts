import { DTYPES, type DType, EngineError, isFloat, isInteger } from '@neural-engine/core';
import type { OpSchema, Slot } from '../schema';

const FLOATS = DTYPES.filter(isFloat);
const INTEGERS = DTYPES.filter(isInteger);

/** The names that may stand for several dtypes in a slot's text. */
const TYPE_SETS: Readonly<Record<string, readonly DType[]>> = {
  any: DTYPES,
  float: FLOATS,
  integer: INTEGERS,
  unsigned: ['u8', 'u16', 'u32', 'u64'],
  number: [...FLOATS, ...INTEGERS],
  index: ['s32', 's64'],
  byte: ['u8', 's8'],
};

function dtypesOf(name: string): readonly DType[] | undefined {
  return TYPE_SETS[name] ?? (DTYPES.includes(name as DType) ? [name as DType] : undefined);
}

/**
 * Slots from short texts: `X: T=float` takes floats and names their dtype `T`; `B?: T` is optional and has the dtype `T`;
 * `inputs...: T` repeats; `mask: bool|s64` lists dtypes.
 */
export function slots(...texts: string[]): Slot[] {
  const variables = new Map<string, readonly DType[]>();
  return texts.map((text) => {
    const parts = /^(\w+)(\?|\.\.\.)?: (?:([A-Z]\w*)(?:=|$))?([\w|]*)$/.exec(text);
    if (!parts) throw new EngineError('E_INTERNAL', 'check', `"${text}" is no slot`);
    const [, name, mark, variable, types] = parts;
    let dtypes: readonly DType[] | undefined = types ? types.split('|').flatMap((type) => dtypesOf(type) ?? []) : undefined;
    if (variable) {
      dtypes ??= variables.get(variable);
      if (dtypes) variables.set(variable, dtypes);
    }
    return {
      name: name!,
      ...(mark === '?' && { optional: true }),
      ...(mark === '...' && { variadic: true }),
      ...(dtypes && { dtypes }),
      ...(variable && { typeVariable: variable }),
    };
  });
}

type Definition = Omit<OpSchema, 'op' | 'kind' | 'attributes'> & Partial<Pick<OpSchema, 'attributes'>>;

/** An operator with ONNX's name and opset-22 meaning. */
export const onnx = (op: string, definition: Definition): OpSchema => ({ op, kind: 'onnx', attributes: {}, ...definition });

/** An operator of our own. */
export const engine = (op: string, definition: Definition): OpSchema => ({ op, kind: 'engine', attributes: {}, ...definition });

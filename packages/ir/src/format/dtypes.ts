import { type DType, EngineError } from '@neural-engine/core';

/** The file's spellings. `s32` and `int32` are both in use; ours is first for writing. */
const SPELLINGS: readonly (readonly [string, DType])[] = [
  ['fp32', 'f32'],
  ['s8', 's8'],
  ['u8', 'u8'],
  ['s32', 's32'],
  ['int32', 's32'],
  ['bf16', 'bf16'],
  ['fp16', 'f16'],
  ['fp64', 'f64'],
  ['s64', 's64'],
  ['int64', 's64'],
  ['u16', 'u16'],
  ['s16', 's16'],
  ['u32', 'u32'],
  ['u64', 'u64'],
  ['bool', 'bool'],
];

export function dtypeFromFile(spelling: string, where: string): DType {
  const found = SPELLINGS.find(([text]) => text === spelling)?.[1];
  if (!found) throw new EngineError('E_UNSUPPORTED', 'ir', `tensor "${where}": dtype "${spelling}" is not supported`, { where });
  return found;
}

export function dtypeToFile(dtype: DType, where: string): string {
  const found = SPELLINGS.find(([, known]) => known === dtype)?.[0];
  if (!found) throw new EngineError('E_UNSUPPORTED', 'save', `tensor "${where}": ${dtype} has no place in the IR`, { where });
  return found;
}

import { describe, expect, it } from 'vitest';
import { viewBytes } from './dtype';

describe('viewBytes', () => {
  it('views aligned bytes and copies others, of a Buffer too', () => {
    const memory = new Uint8Array(24).map((_, i) => i);
    const aligned = viewBytes('s64', memory.subarray(8, 16));
    expect(aligned.buffer).toBe(memory.buffer);
    for (const bytes of [memory.subarray(3, 19), Buffer.from(memory.buffer, 3, 16)])
      expect(viewBytes('s64', bytes)).toEqual(new BigInt64Array(memory.slice(3, 19).buffer));
  });
  it('refuses a part of an element', () => {
    expect(() => viewBytes('f32', new Uint8Array(5))).toThrow(expect.objectContaining({ code: 'E_SHAPE' }));
  });
});

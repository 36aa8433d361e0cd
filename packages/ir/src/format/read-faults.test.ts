import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { filledGraph } from '../__fixtures__/save-for-ever';
import { readIr } from './read-ir';
import { encodeIr, writeIr } from './write-ir';

/** What a read of a file does instead, by how many came before it. */
const fault = vi.hoisted(() => ({ read: undefined as ((number: number, length: number) => number) | undefined, reads: 0 }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  return {
    ...real,
    readSync: (fd: number, into: Uint8Array, offset: number, length: number, at: number) =>
      real.readSync(fd, into, offset, fault.read?.(fault.reads++, length) ?? length, at),
  };
});

const path = join(mkdtempSync(join(tmpdir(), 'ne-faults-')), 'ir');
beforeAll(() => writeIr(filledGraph(3), path));
afterAll(() => rmSync(path, { recursive: true, force: true }));

it('B11: reads that give less than was asked for are gone on with', async () => {
  fault.read = (_, length) => Math.ceil(length / 3);
  expect(encodeIr(await readIr(path)).digest).toBe(encodeIr(filledGraph(3)).digest);
  expect(fault.reads).toBeGreaterThan(10);
});

it('B11: a read that fails is E_IO, whichever it is', async () => {
  for (let victim = 0; ; victim++) {
    fault.reads = 0;
    fault.read = (number, length) => {
      if (number === victim) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return Math.ceil(length / 2);
    };
    const outcome = await readIr(path).then(
      () => 'read',
      (error: { code: string }) => error.code,
    );
    if (fault.reads <= victim) {
      expect(outcome).toBe('read');
      expect(victim).toBeGreaterThan(4);
      return;
    }
    expect(outcome).toBe('E_IO');
  }
});

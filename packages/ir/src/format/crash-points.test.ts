import { mkdtempSync, rmSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { filledGraph } from '../__fixtures__/save-for-ever';
import { readIr } from './read-ir';
import { writeIr } from './write-ir';

/** Called before every change of the file system, while it is set. */
const observer = vi.hoisted(() => ({ look: undefined as (() => Promise<void>) | undefined }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const watched = <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    (async (...args: A) => {
      const { look } = observer;
      observer.look = undefined;
      await look?.();
      observer.look = look;
      return call(...args);
    }) as (...args: A) => Promise<R>;
  const open = watched(async (...args: Parameters<typeof real.open>): Promise<FileHandle> => {
    const file = await real.open(...args);
    return Object.assign(file, { write: watched(file.write.bind(file) as never), sync: watched(file.sync.bind(file)) });
  });
  const { mkdir, link, rename, rm } = real;
  return { ...real, open, mkdir: watched(mkdir as never), link: watched(link), rename: watched(rename), rm: watched(rm) };
});

const folder = mkdtempSync(join(tmpdir(), 'ne-crash-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Saves a second graph and says what a reader found before each call of the save, by the name of its first node. */
async function foundWhileSaving(path: string, before: number | undefined): Promise<unknown[]> {
  if (before !== undefined) await writeIr(filledGraph(before), path);
  const found: unknown[] = [];
  observer.look = async () => {
    // Reading compares the digest of the weights with the one in conf.yaml, whose first node tells which pair it is of.
    found.push(
      await readIr(path).then(
        ({ nodes }) => nodes[0]!.name,
        (error: { code?: string }) => error.code,
      ),
    );
  };
  await writeIr(filledGraph(2), path, { force: true });
  observer.look = undefined;
  return found;
}

it.each([
  ['the whole old pair or the whole new one', 1, 'first1'],
  ['nothing or the whole pair', undefined, 'E_NOT_FOUND'],
])('F5: before each call of a save there is %s', async (_, before, old) => {
  const found = await foundWhileSaving(join(folder, `ir-${before}`), before);
  expect(found.length).toBeGreaterThan(8);
  expect(new Set(found)).toEqual(new Set([old, 'first2']));
  // One call commits: there is no way back.
  expect(found.lastIndexOf(old)).toBeLessThan(found.indexOf('first2'));
});

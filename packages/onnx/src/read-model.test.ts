import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readModel } from './read-model';
import { asyncRefusal } from './testing/errors';
import { len, reluModel, wire } from './testing/wire';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, open: vi.fn(real.open) };
});

describe('reading a model', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'onnx-read-'));
    path = join(folder, 'model.onnx');
    writeFileSync(path, reluModel());
  });
  afterEach(() => {
    vi.mocked(open).mockReset();
    rmSync(folder, { recursive: true, force: true });
  });

  it('reads a path, a file: URL, a Uint8Array and a Buffer alike', async () => {
    for (const source of [path, pathToFileURL(path), reluModel(), Buffer.from(reluModel())]) {
      const model = await readModel(source);
      expect(model.graph.nodes[0]?.opType).toBe('Relu');
      expect(model.warnings).toEqual([]);
    }
  });

  it('reads through a symbolic link to the model', async () => {
    symlinkSync('model.onnx', join(folder, 'link.onnx'));
    expect((await readModel(join(folder, 'link.onnx'))).graph.nodes).toHaveLength(1);
  });

  it('leaves the check out where it is told to', async () => {
    const bytes = wire.model(wire.node('Relu', ['nowhere'], ['Y']));
    await asyncRefusal('E_MODEL', readModel(bytes));
    expect((await readModel(bytes, { check: false })).graph.nodes).toHaveLength(1);
  });

  it('names what is wrong with a path', async () => {
    expect((await asyncRefusal('E_NOT_FOUND', readModel(join(folder, 'nope.onnx')))).message).toContain('no such file');
    expect((await asyncRefusal('E_NOT_FOUND', readModel(join(path, 'x')))).message).toContain('no such file');
    expect((await asyncRefusal('E_PATH', readModel(folder))).message).toContain('is a folder');
    expect((await asyncRefusal('E_USAGE', readModel(new URL('https://example.org/m.onnx')))).message).toContain('only file: URLs');
    await asyncRefusal('E_PATH', readModel('a\0b'));
  });

  it.runIf(process.platform === 'linux')('refuses FIFOs and devices without waiting', async () => {
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    const started = performance.now();
    await asyncRefusal('E_PATH', readModel(join(folder, 'fifo')));
    await asyncRefusal('E_PATH', readModel('/dev/zero'));
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it.runIf(process.getuid?.() !== 0)('refuses a file that it may not open', async () => {
    chmodSync(path, 0);
    await asyncRefusal('E_PATH', readModel(path));
  });

  it('refuses a file above the limit before reading it, naming other formats even then', async () => {
    const error = await asyncRefusal('E_LIMIT', readModel(path, { limits: { onnxBytes: 10 } }));
    expect(error.message).toContain('above the limit of 10');
    const huge = join(folder, 'huge.onnx');
    writeFileSync(huge, 'GGUF\u0003\0\0\0');
    truncateSync(huge, 3 * 2 ** 30);
    expect((await asyncRefusal('E_PARSE', readModel(huge))).message).toContain('a GGUF model');
    writeFileSync(huge, reluModel());
    truncateSync(huge, 3 * 2 ** 30);
    await asyncRefusal('E_LIMIT', readModel(huge));
  });

  /** Lets `change` happen after the file was opened and before its bytes are read. */
  function during(change: () => void): void {
    vi.mocked(open).mockImplementationOnce(async (...args) => {
      const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises');
      const handle = await real.open(...args);
      const stat = handle.stat.bind(handle);
      let changed = false;
      const changing = async (options: { bigint: true }) => {
        const stats = await stat(options);
        if (!changed) change();
        changed = true;
        return stats;
      };
      return Object.assign(handle, { stat: changing as unknown as FileHandle['stat'] });
    });
  }

  it.each([
    ['grows', () => appendFileSync(path, 'x')],
    ['shrinks', () => truncateSync(path, 10)],
    ['is written over', () => writeFileSync(path, reluModel(len(10, 'other')))],
  ])('P12 refuses a file that %s while it is being read', async (_, change) => {
    during(change);
    await asyncRefusal('E_IO', readModel(path));
    writeFileSync(path, reluModel());
    expect((await readModel(path)).graph.nodes).toHaveLength(1);
  });

  it('closes the file whatever happens', async () => {
    writeFileSync(join(folder, 'bad.onnx'), 'bad');
    mkdirSync(join(folder, 'sub'));
    const closed: boolean[] = [];
    vi.mocked(open).mockImplementation(async (...args) => {
      const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises');
      const handle = await real.open(...args);
      const { close } = handle;
      return Object.assign(handle, {
        close: () => {
          closed.push(true);
          return close.call(handle);
        },
      });
    });
    for (const name of ['model.onnx', 'bad.onnx', 'sub']) await readModel(join(folder, name)).catch(() => undefined);
    expect(closed).toHaveLength(3);
  });
});

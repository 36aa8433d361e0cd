import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeModel } from '../decode-model';
import { readModel } from '../read-model';
import { asyncRefusal, refusal } from '../testing/errors';
import { int, len, type Part, reluModel, wire } from '../testing/wire';
import { openBeneath } from './open';

const DATA = Uint8Array.from({ length: 16 }, (_, i) => i);
const SECRET = Uint8Array.from({ length: 16 }, () => 0xee);

/** A model with one external u8 tensor W. */
const external = (entries: Record<string, string>, dims: number[] = [16]): Uint8Array =>
  reluModel(wire.initializer('W', 2, dims, wire.external(entries)));

const isLinux = process.platform === 'linux';

describe('external data', () => {
  let root: string;
  let folder: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'onnx-external-'));
    folder = join(root, 'model');
    mkdirSync(folder);
    writeFileSync(join(folder, 'w.bin'), DATA);
    writeFileSync(join(root, 'secret'), SECRET);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const decode = (entries: Record<string, string>, dims?: number[], options = {}) =>
    decodeModel(external(entries, dims), { directory: folder, ...options });
  const weight = (entries: Record<string, string>, dims?: number[]) => decode(entries, dims).graph.initializers.get('W')!;
  const refuse = (code: Parameters<typeof refusal>[0], entries: Record<string, string>, dims?: number[]) =>
    refusal(code, () => decode(entries, dims));

  it('reads a range when its tensor is asked for, from the folder and from folders below', () => {
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'sub', 'w.bin'), DATA);
    for (const location of ['w.bin', './w.bin', 'sub/w.bin', 'sub//w.bin', './sub/./w.bin']) {
      const tensor = weight({ location, offset: '4', length: '8' }, [8]);
      expect(tensor.external).toEqual({ location, offset: 4, length: 8 });
      expect(tensor.bytes()).toEqual(DATA.subarray(4, 12));
      expect(tensor.bytes()).toBe(tensor.bytes());
      expect(tensor.data()).toEqual(DATA.subarray(4, 12));
    }
  });

  it('finds the data beside a model that is read by relative path, even after the process moved', async () => {
    writeFileSync(join(folder, 'model.onnx'), external({ location: 'w.bin' }));
    const script = `
      process.chdir(${JSON.stringify(folder)});
      const { readModel } = await import(${JSON.stringify(new URL('../index.ts', import.meta.url).pathname)});
      const model = await readModel('model.onnx');
      process.chdir('/');
      console.log(model.graph.initializers.get('W').bytes()[3]);`;
    const output = execFileSync(process.execPath, ['--import', 'tsx', '--conditions=source', '--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(output.trim()).toBe('3');
  });

  it.each(['../secret', 'a/../../secret', './../secret', 'sub/..', 'w.bin/..', '..', 'sub/../w.bin'])(
    'X1 refuses %s by its text alone',
    (location) => {
      const before = refuse('E_PATH', { location }).message;
      expect(before).toContain('leads out of the model');
      rmSync(join(root, 'secret'), { force: true });
      expect(refuse('E_PATH', { location }).message).toBe(before);
    },
  );

  it.each([
    ['/etc/passwd', 'is not relative'],
    ['C:\\x', 'holds a backslash'],
    ['C:/x', 'is not relative'],
    ['c:x', 'is not relative'],
    ['\\\\host\\share', 'holds a backslash'],
    ['..\\..\\secret', 'holds a backslash'],
    ['file:///etc/passwd', 'is not relative'],
    ['FILE:w.bin', 'is not relative'],
    ['https://host/w.bin', 'is not relative'],
    ['w.bin\0.txt', 'holds a NUL'],
    ['', 'is empty'],
    ['.', 'names a folder'],
    ['./', 'names a folder'],
    ['sub/', 'names a folder'],
  ])('X2 refuses %j', (location, problem) => {
    expect(refuse('E_PATH', { location }).message).toContain(problem);
  });

  it('X2 refuses the name of a folder, and a model without any location', () => {
    mkdirSync(join(folder, 'sub'));
    expect(refuse('E_PATH', { location: 'sub' }).message).toContain('is not a regular file');
    expect(refuse('E_PATH', { offset: '0' }).message).toContain('is empty');
  });

  it('says which file is missing, without the path of the folder', () => {
    for (const location of ['nope.bin', 'sub/nope.bin', 'w.bin/x']) {
      const { message } = refuse('E_NOT_FOUND', { location });
      expect(message).toContain(`"${location}" does not exist`);
      expect(message).not.toContain(root);
    }
  });

  it('X3 refuses symbolic links: the file itself, a folder above it, one that stays inside', () => {
    symlinkSync(join(root, 'secret'), join(folder, 'link'));
    symlinkSync(root, join(folder, 'up'));
    symlinkSync('w.bin', join(folder, 'inside'));
    symlinkSync('nowhere', join(folder, 'broken'));
    for (const location of ['link', 'up/secret', 'inside', 'broken']) {
      expect(refuse('E_PATH', { location }).message).toContain('leads through a symbolic link');
    }
  });

  describe('in a hub cache', () => {
    const hub = (dataTarget: string): string => {
      const repo = join(root, 'models--org--name');
      const snapshot = join(repo, 'snapshots', 'abc');
      mkdirSync(join(repo, 'blobs'), { recursive: true });
      mkdirSync(snapshot, { recursive: true });
      writeFileSync(join(repo, 'blobs', '1111'), external({ location: 'model.onnx_data' }));
      writeFileSync(join(repo, 'blobs', '2222'), DATA);
      symlinkSync('../../blobs/1111', join(snapshot, 'model.onnx'));
      symlinkSync(dataTarget, join(snapshot, 'model.onnx_data'));
      return join(snapshot, 'model.onnx');
    };

    it('X4 loads a model and its data that are both links into one folder', async () => {
      const model = await readModel(hub('../../blobs/2222'));
      expect(model.graph.initializers.get('W')?.bytes()).toEqual(DATA);
    });

    it('X4 loads data that lie as a plain file beside the link to the model', async () => {
      const path = hub('../../blobs/2222');
      unlinkSync(`${path}_data`);
      writeFileSync(`${path}_data`, SECRET);
      expect((await readModel(path)).graph.initializers.get('W')?.bytes()).toEqual(SECRET);
    });

    it.each([
      ['another folder', '../../../secret'],
      ['a folder below the blobs', '../../blobs/sub/2222'],
      ['a file that is not there', '../../blobs/3333'],
      ['a link among the blobs', '../../blobs/link'],
    ])('X5 refuses data that are a link to %s', async (_, target) => {
      const path = hub(target);
      const blobs = join(root, 'models--org--name', 'blobs');
      mkdirSync(join(blobs, 'sub'));
      writeFileSync(join(blobs, 'sub', '2222'), SECRET);
      symlinkSync('../../secret', join(blobs, 'link'));
      const error = await asyncRefusal(target.endsWith('3333') ? 'E_NOT_FOUND' : 'E_PATH', readModel(path));
      expect(error.message).not.toContain(root);
    });

    it('X5 trusts a link among the data only where the model itself is a link', async () => {
      const path = join(folder, 'model.onnx');
      writeFileSync(path, external({ location: 'link.bin' }));
      symlinkSync('w.bin', join(folder, 'link.bin'));
      await asyncRefusal('E_PATH', readModel(path));
    });
  });

  it('X6 refuses a file with other hard links, unless they are allowed', () => {
    linkSync(join(root, 'secret'), join(folder, 'hard'));
    expect(refuse('E_PATH', { location: 'hard' }).message).toContain('other hard links');
    const model = decode({ location: 'hard' }, [16], { allowHardlinks: true });
    expect(model.graph.initializers.get('W')?.bytes()).toEqual(SECRET);
  });

  it.runIf(isLinux)('X7 refuses a FIFO at once instead of waiting for its writer', () => {
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    const started = performance.now();
    expect(refuse('E_PATH', { location: 'fifo' }).message).toContain('is not a regular file');
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it.runIf(isLinux)('X7 refuses a socket, /dev/zero and files of /proc', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
    expect(refuse('E_PATH', { location: 'socket' }).message).toContain('is not a regular file');
    server.close();
    const at = (directory: string, location: string) => () => decodeModel(external({ location }), { directory });
    expect(refusal('E_PATH', at('/dev', 'zero')).message).toContain('is not a regular file');
    // A file of /proc has the size 0, so that no range of it exists.
    refusal('E_MODEL', at('/proc/self', 'mem'));
  });

  it.runIf(isLinux)('X8 never reads the secret while another thread swaps the paths', async () => {
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'sub', 'w.bin'), DATA);
    mkdirSync(join(root, 'evil'));
    writeFileSync(join(root, 'evil', 'w.bin'), SECRET);
    const swapper = new Worker(
      `const { renameSync, symlinkSync, unlinkSync, writeFileSync } = require('node:fs');
       const { folder, root, data } = require('node:worker_threads').workerData;
       const quietly = (step) => { try { step(); } catch {} };
       for (;;) {
         quietly(() => renameSync(folder + '/sub', folder + '/kept'));
         quietly(() => symlinkSync(root + '/evil', folder + '/sub'));
         quietly(() => unlinkSync(folder + '/sub'));
         quietly(() => renameSync(folder + '/kept', folder + '/sub'));
         quietly(() => symlinkSync(root + '/secret', folder + '/next'));
         quietly(() => renameSync(folder + '/next', folder + '/w.bin'));
         quietly(() => writeFileSync(folder + '/plain', data));
         quietly(() => renameSync(folder + '/plain', folder + '/w.bin'));
       }`,
      { eval: true, workerData: { folder, root, data: DATA } },
    );
    await new Promise((resolve) => swapper.once('online', resolve));
    const outcomes = new Map<string, number>();
    const count = (outcome: string) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    for (const until = performance.now() + 3000; performance.now() < until; ) {
      for (const location of ['w.bin', 'sub/w.bin']) {
        try {
          const bytes = weight({ location }).bytes();
          expect(bytes).not.toContain(0xee);
          count('read');
        } catch (error) {
          count((error as { code?: string }).code ?? String(error));
        }
      }
    }
    await swapper.terminate();
    // E_IO: the file was replaced between the check and the reading, and that was noticed.
    expect([...outcomes.keys()].filter((outcome) => !['read', 'E_PATH', 'E_NOT_FOUND', 'E_MODEL', 'E_IO'].includes(outcome))).toEqual([]);
    expect(outcomes.get('read') ?? 0).toBeGreaterThan(0);
    expect(outcomes.get('E_PATH') ?? 0).toBeGreaterThan(0);
  });

  it('checks paths the same way where descriptors have no paths', () => {
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'sub', 'w.bin'), DATA);
    symlinkSync(root, join(folder, 'up'));
    symlinkSync(join(root, 'secret'), join(folder, 'link'));
    for (const byDescriptors of [true, false].slice(isLinux ? 0 : 1)) {
      expect(openBeneath(folder, ['sub', 'w.bin'], byDescriptors).stats.size).toBe(16n);
      for (const parts of [['up', 'secret'], ['link'], ['sub'], ['nope'], ['nope', 'x']]) {
        expect(() => openBeneath(folder, parts, byDescriptors)).toThrow(/symlink|special|missing/);
      }
    }
  });

  it.each(['-8', '12abc', '9223372036854775808', '18446744073709551615', '1e3', ' 4', '', '0x10', '4.0', '９'])(
    'X9 refuses %j as an offset or a length',
    (text) => {
      expect(refuse('E_MODEL', { location: 'w.bin', offset: text }).message).toContain('external_data offset');
      expect(refuse('E_MODEL', { location: 'w.bin', length: text }).message).toContain('external_data length');
    },
  );

  it('X9 refuses a range whose end would wrap', () => {
    refuse('E_MODEL', { location: 'w.bin', offset: String(Number.MAX_SAFE_INTEGER), length: '16' });
  });

  it('X10 refuses ranges that are not what dtype and dims call for, with both numbers', () => {
    expect(refuse('E_MODEL', { location: 'w.bin', length: '15' }).message).toContain('need 16 bytes, external_data says 15');
    expect(refuse('E_MODEL', { location: 'w.bin' }, [8]).message).toContain('need 8 bytes, "w.bin" has 16');
    expect(refuse('E_MODEL', { location: 'w.bin', offset: '17' }).message).toContain('offset 17 lies past the end of "w.bin" (16 bytes)');
    writeFileSync(join(folder, 'w.bin'), DATA.subarray(0, 15));
    expect(refuse('E_MODEL', { location: 'w.bin', length: '16' }).message).toContain('needs 16 bytes at offset 0 of "w.bin", which has 15');
  });

  it('X10 takes an absent length for the rest of the file', () => {
    expect(weight({ location: 'w.bin', offset: '12' }, [4]).bytes()).toEqual(DATA.subarray(12));
    expect(weight({ location: 'w.bin', offset: '16' }, [0]).bytes()).toHaveLength(0);
  });

  it('X11 refuses a petabyte of a small file without allocating for it', () => {
    const petabyte = 2 ** 50;
    const before = process.memoryUsage().rss;
    const options = { limits: { weightBytes: Number.MAX_SAFE_INTEGER } };
    const error = refusal('E_MODEL', () => decode({ location: 'w.bin', length: String(petabyte) }, [petabyte], options));
    expect(error.message).toContain(String(petabyte));
    expect(process.memoryUsage().rss - before).toBeLessThan(16 * 2 ** 20);
    refuse('E_LIMIT', { location: 'w.bin', length: String(petabyte) }, [petabyte]);
  });

  it('X12 ignores unknown keys with a warning and never assigns them', () => {
    const model = decode({ location: 'w.bin', __proto__x: 'a', basepath: '/etc', constructor: 'b' });
    const named = decodeModel(
      reluModel(wire.initializer('W', 2, [16], len(13, len(1, '__proto__'), len(2, 'x')), wire.external({ location: 'w.bin' }))),
      { directory: folder },
    );
    expect(model.warnings).toEqual([
      'initializer "W": the external_data key "__proto__x" is unknown and ignored',
      'initializer "W": the external_data key "basepath" is unknown and ignored',
      'initializer "W": the external_data key "constructor" is unknown and ignored',
    ]);
    expect(named.warnings).toHaveLength(1);
    expect(Object.prototype).not.toHaveProperty('x');
    refuse('E_MODEL', { location: 'w.bin' }, [15]);
  });

  it('X12 refuses a key given twice, and warns of external data that do not count', () => {
    const twice = reluModel(wire.initializer('W', 2, [16], len(13, len(1, 'location'), len(2, 'a')), wire.external({ location: 'w.bin' })));
    expect(refusal('E_MODEL', () => decodeModel(twice, { directory: folder })).message).toContain('"location" appears twice');
    const inline = reluModel(wire.initializer('W', 2, [1], len(13, len(1, 'location'), len(2, '/etc')), len(9, 'a')));
    expect(decodeModel(inline).warnings[0]).toContain('data_location is not EXTERNAL');
  });

  it('X13 lets tensors share bytes, and counts each of them against the limit', () => {
    const aliases = (count: number): Part[] =>
      Array.from({ length: count }, (_, i) => wire.initializer(`W${i}`, 2, [16], wire.external({ location: 'w.bin' })));
    const bytes = reluModel(...aliases(100));
    const { initializers } = decodeModel(bytes, { directory: folder, limits: { weightBytes: 1600 } }).graph;
    expect(initializers.get('W99')?.bytes()).toEqual(initializers.get('W0')?.bytes());
    refusal('E_LIMIT', () => decodeModel(bytes, { directory: folder, limits: { weightBytes: 1599 } }));
  });

  it('X13 looks at a file once, however many tensors lie in it', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => wire.initializer(`W${i}`, 2, [16], wire.external({ location: 'w.bin' })));
    const bytes = reluModel(...many);
    const started = performance.now();
    expect(decodeModel(bytes, { directory: folder }).graph.initializers.size).toBe(20_000);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('X14 refuses external tensors of a model that has no folder', async () => {
    expect(refusal('E_PATH', () => decodeModel(external({ location: 'w.bin' }))).message).toContain('give the option "directory"');
    await asyncRefusal('E_PATH', readModel(external({ location: 'w.bin' })));
    const model = await readModel(external({ location: 'w.bin' }), { directory: folder });
    expect(model.graph.initializers.get('W')?.bytes()).toEqual(DATA);
  });

  it('X15 holds for tensors in sparse initializers, attributes and subgraphs', () => {
    const evil = wire.tensor('S', 2, [16], wire.external({ location: '../secret' }));
    const good = wire.tensor('I', 7, [16], len(7, new Uint8Array(16)));
    const places: [string, Uint8Array][] = [
      ['values of a sparse initializer', reluModel(len(15, len(1, evil), len(2, good), int(3, 99)))],
      ['indices of a sparse initializer', reluModel(len(15, len(1, good), len(2, evil), int(3, 99)))],
      ['an attribute', reluModel(wire.node('A', [], ['B'], wire.attribute('value', 4, len(5, evil))))],
      ['a list of tensors', reluModel(wire.node('A', [], ['B'], wire.attribute('values', 9, len(10, evil))))],
      ['a subgraph', reluModel(wire.node('A', [], ['B'], wire.attribute('body', 5, len(6, len(5, evil)))))],
      ['training', new Uint8Array(Buffer.concat([reluModel(), len(20, len(1, len(5, evil)))]))],
    ];
    for (const [place, bytes] of places) {
      const { message } = refusal('E_PATH', () => decodeModel(bytes, { directory: folder }));
      expect(`${place}: ${message}`).toContain('leads out of the model');
    }
  });

  it('refuses to read a file that changed since it was checked', () => {
    for (const change of [
      () => appendFileSync(join(folder, 'w.bin'), 'x'),
      () => writeFileSync(join(folder, 'w.bin'), SECRET),
      () => utimesSync(join(folder, 'w.bin'), 1, 1),
      () => {
        writeFileSync(join(folder, 'new'), DATA);
        renameSync(join(folder, 'new'), join(folder, 'w.bin'));
      },
    ]) {
      writeFileSync(join(folder, 'w.bin'), DATA);
      const tensor = weight({ location: 'w.bin' });
      change();
      expect(refusal('E_IO', () => tensor.bytes()).message).toContain('changed after the model was loaded');
    }
    const tensor = weight({ location: 'w.bin' });
    unlinkSync(join(folder, 'w.bin'));
    refusal('E_NOT_FOUND', () => tensor.bytes());
  });
});

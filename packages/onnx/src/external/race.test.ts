import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '@neural-engine/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Place } from '../place';
import { openBeneath } from './open';
import { ExternalStore } from './store';

/** What happens before each system call that takes a path; the number counts them. */
let onCall: ((call: number) => void) | undefined;
let calls = 0;

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const hooked = <A extends unknown[], R>(run: (...args: A) => R) =>
    vi.fn((...args: A): R => {
      const hook = onCall;
      onCall = undefined;
      hook?.(calls++);
      onCall = hook;
      return run(...args);
    });
  return { ...real, lstatSync: hooked(real.lstatSync), openSync: hooked(real.openSync), realpathSync: hooked(real.realpathSync) };
});

const SECRET = 0xee;

describe('a path that is swapped between the check and the opening', () => {
  let root: string;
  let folder: string;
  beforeEach(() => {
    root = fs.mkdtempSync(join(tmpdir(), 'onnx-race-'));
    folder = join(root, 'model');
    fs.mkdirSync(join(folder, 'sub'), { recursive: true });
    fs.mkdirSync(join(root, 'evil'));
    fs.writeFileSync(join(folder, 'w.bin'), new Uint8Array(16));
    fs.writeFileSync(join(folder, 'sub', 'w.bin'), new Uint8Array(16));
    fs.writeFileSync(join(root, 'evil', 'w.bin'), new Uint8Array(16).fill(SECRET));
  });
  afterEach(() => {
    onCall = undefined;
    fs.rmSync(root, { recursive: true, force: true });
  });

  const swaps: Record<string, { there: () => void; back: () => void; parts: string[] }> = {
    'the file for a link': {
      parts: ['w.bin'],
      there: () => {
        fs.renameSync(join(folder, 'w.bin'), join(folder, 'kept'));
        fs.symlinkSync(join(root, 'evil', 'w.bin'), join(folder, 'w.bin'));
      },
      back: () => fs.renameSync(join(folder, 'kept'), join(folder, 'w.bin')),
    },
    'the folder for a link': {
      parts: ['sub', 'w.bin'],
      there: () => {
        fs.renameSync(join(folder, 'sub'), join(folder, 'kept'));
        fs.symlinkSync(join(root, 'evil'), join(folder, 'sub'));
      },
      back: () => {
        fs.unlinkSync(join(folder, 'sub'));
        fs.renameSync(join(folder, 'kept'), join(folder, 'sub'));
      },
    },
    'the file for the secret itself': {
      parts: ['w.bin'],
      there: () => {
        fs.renameSync(join(folder, 'w.bin'), join(folder, 'kept'));
        fs.renameSync(join(root, 'evil', 'w.bin'), join(folder, 'w.bin'));
      },
      back: () => {
        fs.renameSync(join(folder, 'w.bin'), join(root, 'evil', 'w.bin'));
        fs.renameSync(join(folder, 'kept'), join(folder, 'w.bin'));
      },
    },
  };

  /** Runs `read` once for each moment at which `there` can happen, with and without `back` at the next call. */
  function atEveryMoment(swap: (typeof swaps)[string], read: () => Uint8Array | 'refused'): { outcomes: Set<string>; moments: number } {
    const outcomes = new Set<string>();
    let moments = 0;
    for (const returns of [false, true]) {
      for (let moment = 0; ; moment++) {
        calls = 0;
        onCall = (call) => {
          if (call === moment) swap.there();
          if (call === moment + 1 && returns) swap.back();
        };
        const bytes = read();
        onCall = undefined;
        const [happened, undone] = [calls > moment, returns && calls > moment + 1];
        outcomes.add(bytes === 'refused' ? bytes : bytes.includes(SECRET) ? 'secret' : 'permitted');
        if (happened && !undone) swap.back();
        moments = Math.max(moments, moment);
        if (!happened) break;
      }
    }
    return { outcomes, moments };
  }

  const readAll = (fd: number): Uint8Array => {
    const bytes = new Uint8Array(16);
    fs.readSync(fd, bytes, 0, 16, 0);
    fs.closeSync(fd);
    return bytes;
  };

  describe.each(process.platform === 'linux' ? [true, false] : [false])('by descriptors: %s', (byDescriptors) => {
    it.each(Object.entries(swaps).filter(([name]) => !name.includes('itself')))('X8 never opens the secret: %s', (_, swap) => {
      const { outcomes, moments } = atEveryMoment(swap, () => {
        try {
          return readAll(openBeneath(folder, swap.parts, byDescriptors).fd);
        } catch {
          return 'refused';
        }
      });
      expect([...outcomes].sort()).toEqual(['permitted', 'refused']);
      expect(moments).toBeGreaterThanOrEqual(2);
    });
  });

  it.each(Object.entries(swaps))('X8 never reads another file than the one that was checked: %s', (_, swap) => {
    const { outcomes } = atEveryMoment(swap, () => {
      const hook = onCall;
      onCall = undefined;
      const store = new ExternalStore({ folder, allowHardlinks: false });
      const range = store.range(swap.parts.join('/'), 0, 16, Place.MODEL.at('tensor'));
      onCall = hook;
      try {
        return range.read();
      } catch (error) {
        expect(EngineError.isInstance(error) && ['E_PATH', 'E_IO', 'E_NOT_FOUND'].includes(error.code)).toBe(true);
        return 'refused';
      }
    });
    expect([...outcomes].sort()).toEqual(['permitted', 'refused']);
  });
});

import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineError } from '../errors';
import { AtomicFile } from './atomic-file';
import { makeHolder } from './lock-file';
import { OutputLock, underLock } from './output-lock';
import { isRunning, thisProcess } from './process-id';
import { saveFile } from './save-file';

let folder: string;
let output: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ne-lock-'));
  output = join(folder, 'out.txt');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const files = (): string[] => readdirSync(folder).sort();
const source = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
const isLinux = process.platform === 'linux';

function refusal(act: () => unknown): EngineError {
  try {
    act();
  } catch (error) {
    return error as EngineError;
  }
  throw new Error('nothing was refused');
}

/** A process that runs `body` with the modules of saving at hand. */
function start(body: string): ChildProcess & { said(text: string): Promise<void>; ended: Promise<string> } {
  const program = `
    const { OutputLock } = await import(${source('./output-lock.ts')});
    const { AtomicFile } = await import(${source('./atomic-file.ts')});
    const { saveFile } = await import(${source('./save-file.ts')});
    const fs = await import('node:fs');
    const [folder, output] = ${JSON.stringify([folder, output])};
    ${body}`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  let out = '';
  child.stdout!.on('data', (chunk) => (out += chunk));
  const ended = new Promise<string>((resolve) => child.on('close', (code, signal) => resolve(signal ?? String(code))));
  const said = async (text: string): Promise<void> => {
    while (!out.includes(text)) await Promise.race([new Promise((resolve) => child.stdout!.once('data', resolve)), ended]);
  };
  return Object.assign(child, { said, ended });
}

describe('the lock of an output', () => {
  it('is one file beside the output while it is held, and gone afterwards', () => {
    const lock = OutputLock.take(output);
    expect(files()).toEqual(['.out.txt.lock']);
    lock.release();
    lock.release();
    expect(files()).toEqual([]);
  });

  it('C7: is refused to a second writer, in words that name the output, who writes it and what to do', async () => {
    const holder = start(`OutputLock.take(output); console.log('held'); setInterval(() => {}, 1000);`);
    await holder.said('held');
    const error = refusal(() => OutputLock.take(output));
    expect(error).toMatchObject({ code: 'E_LOCKED', stage: 'save', where: output });
    expect(error.message).toContain(`"${output}" is being written by process ${holder.pid} (`);
    expect(error.message).toContain('name another output');
    await expect(saveFile(output, 'mine')).rejects.toMatchObject({ code: 'E_LOCKED' });
    expect(files()).toEqual(['.out.txt.lock']);
    holder.kill('SIGKILL');
    await holder.ended;
  });

  it('F7, M1: of a killed writer is taken over at once, and its temporary files go', async () => {
    const killed = start(`
      const lock = OutputLock.take(output);
      const file = await AtomicFile.create(lock);
      await file.write(Buffer.from('half'));
      console.log('writing');
      setInterval(() => {}, 1000);`);
    await killed.said('writing');
    killed.kill('SIGKILL');
    await killed.ended;
    expect(files()).toEqual([expect.stringMatching(/^\.out\.txt\.\d+-[0-9a-f]{12}\.tmp$/), '.out.txt.lock']);
    writeFileSync(join(folder, '.other.txt.1-0123456789ab.tmp'), 'of another output');
    await saveFile(output, 'whole');
    expect(readFileSync(output, 'utf8')).toBe('whole');
    expect(files()).toEqual(['.other.txt.1-0123456789ab.tmp', 'out.txt']);
  });

  it.runIf(isLinux)('M8: counts as free when its number has been given to another process since', () => {
    const holder = { ...makeHolder(), pid: process.ppid, started: '1' };
    expect(isRunning({ ...holder, started: '' })).toBe(true);
    expect(isRunning(holder)).toBe(false);
    writeFileSync(join(folder, '.out.txt.lock'), JSON.stringify(holder));
    OutputLock.take(output).release();
    expect(files()).toEqual([]);
  });

  it('of another machine counts as free when it has not been renewed for minutes', () => {
    const file = join(folder, '.out.txt.lock');
    writeFileSync(file, JSON.stringify({ ...makeHolder(), place: 'another boot' }));
    const { code, message } = refusal(() => OutputLock.take(output));
    expect(code).toBe('E_LOCKED');
    expect(message).toContain(`another machine or container`);
    expect(message).toContain(`remove "${file}"`);
    const then = Date.now() / 1000 - 600;
    utimesSync(file, then, then);
    OutputLock.take(output).release();
    expect(files()).toEqual([]);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', 'x'.repeat(20_000)],
    ['a token that is a path', JSON.stringify({ ...makeHolder(), token: '../../escaped' })],
    ['no process', JSON.stringify({ ...makeHolder(), pid: -1 })],
  ])('that says %s is given ten seconds, and then taken over', (_, text) => {
    const file = join(folder, '.out.txt.lock');
    writeFileSync(file, text);
    expect(refusal(() => OutputLock.take(output))).toMatchObject({ code: 'E_LOCKED' });
    const then = Date.now() / 1000 - 60;
    utimesSync(file, then, then);
    OutputLock.take(output).release();
    expect(files()).toEqual([]);
  });

  it.runIf(isLinux)('is never followed through a link that somebody left in its place', () => {
    writeFileSync(join(folder, 'precious'), 'precious');
    symlinkSync('precious', join(folder, '.out.txt.lock'));
    expect(refusal(() => OutputLock.take(output))).toMatchObject({ code: 'E_CANTCREAT' });
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('precious');
  });

  it('is the same however the output is spelled, and no other output’s', () => {
    symlinkSync(folder, join(folder, 'alias'));
    using _ = OutputLock.take(output);
    for (const path of [join(folder, 'alias', 'out.txt'), `${folder}/./x/../out.txt`])
      expect(refusal(() => OutputLock.take(path))).toMatchObject({ code: 'E_LOCKED' });
    const long = 'n'.repeat(240);
    using _one = OutputLock.take(join(folder, `${long}1`));
    using _two = OutputLock.take(join(folder, `${long}2`));
  });

  it('of a folder lies beside it until it exists, then inside; parents that were made for nothing go', () => {
    const ir = join(folder, 'a', 'b', 'ir');
    const lock = OutputLock.take(ir, 'folder');
    expect(readdirSync(join(folder, 'a', 'b'))).toEqual(['.ir.lock']);
    lock.release();
    expect(files()).toEqual([]);
    mkdirSync(ir, { recursive: true });
    using _ = OutputLock.take(ir, 'folder');
    expect(readdirSync(ir)).toEqual(['.output.lock']);
  });

  it('is refused for what cannot be such an output', () => {
    mkdirSync(join(folder, 'taken'));
    writeFileSync(output, 'x');
    expect(refusal(() => OutputLock.take(join(folder, 'taken')))).toMatchObject({ code: 'E_CANTCREAT' });
    expect(refusal(() => OutputLock.take(output, 'folder'))).toMatchObject({ code: 'E_CANTCREAT' });
    expect(refusal(() => OutputLock.take('/dev/null'))).toMatchObject({ code: 'E_CANTCREAT' });
    expect(refusal(() => OutputLock.take(join(folder, 'missing', 'x')))).toMatchObject({ code: 'E_CANTCREAT' });
    expect(refusal(() => OutputLock.take(join(folder, 'x'.repeat(300))))).toMatchObject({ code: 'E_CANTCREAT' });
    expect(files()).toEqual(['out.txt', 'taken']);
  });

  it('F8: a folder that is taken away while its output is written is E_IO', async () => {
    for (const takeAway of [() => rmSync(folder, { recursive: true }), () => renameSync(folder, `${folder}-moved`)]) {
      mkdirSync(folder, { recursive: true });
      const lock = OutputLock.take(output);
      const file = await AtomicFile.create(lock);
      await file.write(Buffer.from('half'));
      await file.finish();
      takeAway();
      await expect(file.commit(output, true)).rejects.toMatchObject({ code: 'E_IO', where: output });
      await expect(AtomicFile.create(lock)).rejects.toMatchObject({ code: 'E_IO' });
      await file.discard();
      lock.release();
    }
    rmSync(`${folder}-moved`, { recursive: true });
  });

  it('that the caller holds serves what is saved under it, and nothing else', async () => {
    using lock = OutputLock.take(output);
    await saveFile(output, 'mine', { lock });
    await expect(saveFile(join(folder, 'other'), 'x', { lock })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(underLock(output, 'file', undefined, async () => 1)).rejects.toMatchObject({ code: 'E_LOCKED' });
    expect(readFileSync(output, 'utf8')).toBe('mine');
  });

  it.each(['process.exit(3)', 'setTimeout(() => { throw new Error("planned"); })'])(
    'is released, and halves are removed, by %s',
    async (end) => {
      const child = start(`
      process.on('uncaughtException', () => process.exit(3));
      const lock = OutputLock.take(folder + '/new/out', 'folder');
      fs.mkdirSync(lock.temporary());
      const file = await AtomicFile.create(OutputLock.take(output));
      await file.write(Buffer.from('half'));
      ${end}`);
      expect(await child.ended).toBe('3');
      expect(files()).toEqual([]);
    },
  );
});

describe('several processes that want one output', () => {
  /**
   * Each takes the lock as often as it can. Whoever has it makes a file that nobody else may have made, saves a result, and lets go; or, one
   * time in three, leaves the lock as a dead process would.
   */
  const racer = (name: string, ms: number): string => `
    const name = ${JSON.stringify(name)};
    let [won, lost, wrong] = [0, 0, 0];
    console.log('ready');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    for (const end = Date.now() + ${ms}; Date.now() < end; ) {
      let lock;
      try {
        lock = OutputLock.take(output);
      } catch (error) {
        if (error.code !== 'E_LOCKED') throw error;
        lost++;
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 2));
        continue;
      }
      won++;
      try { fs.writeFileSync(folder + '/alone', name, { flag: 'wx' }); } catch { wrong++; }
      await saveFile(output, name.repeat(200000), { force: true, lock });
      fs.rmSync(folder + '/alone', { force: true });
      if (Math.random() < 1 / 3) {
        const left = JSON.parse(fs.readFileSync(folder + '/.out.txt.lock', 'utf8'));
        fs.writeFileSync(folder + '/dead-' + name, JSON.stringify({ ...left, pid: 2 ** 22 + 1, token: left.token }));
        fs.renameSync(folder + '/dead-' + name, folder + '/.out.txt.lock');
      } else lock.release();
    }
    console.log(JSON.stringify({ won, lost, wrong }));
    process.stdin.destroy();`;

  it('C7, F7: one at a time has it, through hundreds of turns and dead holders, and every result is whole', async () => {
    const racers = ['a', 'b', 'c'].map((name) => start(racer(name, 2500)));
    const outs = racers.map((child) => {
      let text = '';
      child.stdout!.on('data', (chunk) => (text += chunk));
      return () => JSON.parse(text.trim().split('\n').at(-1)!) as { won: number; lost: number; wrong: number };
    });
    await Promise.all(racers.map((child) => child.said('ready')));
    for (const child of racers) child.stdin!.write('go\n');
    let whole = 0;
    let isOver = false;
    const over = Promise.all(racers.map((child) => child.ended)).then((codes) => {
      isOver = true;
      return codes;
    });
    while (!isOver) {
      if (existsSync(output)) {
        const text = readFileSync(output, 'utf8');
        expect(text).toBe(text[0]!.repeat(200_000));
        whole++;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await over).toEqual(['0', '0', '0']);
    const results = outs.map((result) => result());
    expect(results.map(({ wrong }) => wrong)).toEqual([0, 0, 0]);
    for (const { won } of results) expect(won).toBeGreaterThan(5);
    expect(results.reduce((sum, { lost }) => sum + lost, 0)).toBeGreaterThan(10);
    expect(whole).toBeGreaterThan(10);
    OutputLock.take(output).release();
    expect(files()).toEqual(['out.txt']);
  });
});

it.runIf(isLinux)('a process knows itself and what has ended', async () => {
  expect(isRunning(thisProcess())).toBe(true);
  expect(thisProcess().started).toMatch(/^\d+$/);
  // Ended, but its parent has not asked how: its number is taken still.
  const zombie = spawn('sh', ['-c', 'sh -c "exit 0" & echo $!; exec sleep 5'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const pid = await new Promise<number>((resolve) => zombie.stdout!.once('data', (chunk) => resolve(Number(chunk))));
  await expect.poll(() => isRunning({ pid, started: '', place: '' })).toBe(false);
  zombie.kill('SIGKILL');
});

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { commandIsBuilt } from '../../../../tooling/built';

export interface Result {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Put in front of the command, such as `taskset -c 0`. */
  readonly prefix?: readonly string[];
  /** `inherit`: the prefix makes it something. Default: nothing comes. */
  readonly stdin?: 'inherit' | { readonly text: string };
  /** Sent once stderr holds the text. */
  readonly interrupt?: { readonly after: RegExp; readonly with: NodeJS.Signals };
  /** Done once stderr holds the text. */
  readonly when?: { readonly said: RegExp; readonly act: (pid: number) => void };
  /** Streams whose reader goes away: at once, or with the first that comes. */
  readonly close?: { readonly stdout?: 'first' | 'at once'; readonly stderr?: 'at once' };
}

const built = commandIsBuilt();
const entry = built
  ? { ne: '../../dist/main.js', neural_engine: '../../dist/neural-engine.js' }
  : { ne: '../main.ts', neural_engine: '../neural-engine.ts' };
const conditions = built ? [] : ['--conditions=source', '--import', import.meta.resolve('tsx')];

/** Runs a command line of this package in a process of its own: as it is built, or from its sources where these are newer. */
export function run(command: keyof typeof entry, args: readonly string[], { env = {}, cwd, prefix = [], interrupt, when, close, stdin = undefined }: Surroundings = {}): Promise<Result> {
  const main = JSON.stringify(new URL(entry[command], import.meta.url).href);
  const program = `import { run } from ${main}; await run(${JSON.stringify(args)});`;
  const [file, ...rest] = [...prefix, process.execPath, ...conditions, '--input-type=module', '-e', program];
  const child = spawn(file!, rest, {
    env: { ...process.env, FORCE_COLOR: '0', ...env },
    cwd: cwd ?? fileURLToPath(new URL('../..', import.meta.url)),
    stdio: [typeof stdin === 'object' ? 'pipe' : (stdin ?? 'ignore'), 'pipe', 'pipe'],
  });
  if (typeof stdin === 'object') child.stdin!.end(stdin.text);
  let [out, err, sent] = ['', '', false];
  if (close?.stdout === 'at once') child.stdout!.destroy();
  if (close?.stderr === 'at once') child.stderr!.destroy();
  child.stdout!.on('data', (chunk) => {
    out += chunk;
    if (close?.stdout === 'first') child.stdout!.destroy();
  });
  child.stderr!.on('data', (chunk) => {
    err += chunk;
    if (sent || !(interrupt?.after ?? when?.said)?.test(err)) return;
    sent = true;
    if (interrupt) child.kill(interrupt.with);
    when?.act(child.pid!);
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, out, err }));
  });
}

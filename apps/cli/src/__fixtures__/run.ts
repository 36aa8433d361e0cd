import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

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
  /** Sent once stderr holds the text; again at the second time it is asked for. */
  readonly interrupt?: { readonly after: RegExp; readonly with: NodeJS.Signals };
}

const entry = { ne: '../main.ts', neural_engine: '../neural-engine.ts' };
const conditions = ['--conditions=source', '--import', import.meta.resolve('tsx')];

/** Runs a command line of this package in a process of its own, from its sources. */
export function run(command: keyof typeof entry, args: readonly string[], { env = {}, cwd, prefix = [], interrupt }: Surroundings = {}): Promise<Result> {
  const main = JSON.stringify(new URL(entry[command], import.meta.url).href);
  const program = `import { run } from ${main}; await run(${JSON.stringify(args)});`;
  const [file, ...rest] = [...prefix, process.execPath, ...conditions, '--input-type=module', '-e', program];
  const child = spawn(file!, rest, {
    env: { ...process.env, FORCE_COLOR: '0', ...env },
    cwd: cwd ?? fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err, sent] = ['', '', false];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
    if (!interrupt || sent || !interrupt.after.test(err)) return;
    sent = true;
    child.kill(interrupt.with);
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, out, err }));
  });
}

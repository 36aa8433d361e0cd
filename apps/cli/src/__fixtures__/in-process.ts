import { run } from '../main';
import type { Result } from './run';

/** Runs `ne` inside this process, for command lines that need no process of their own: a start of one costs more than most of them. */
export async function inProcess(args: readonly string[], { cwd }: { cwd?: string } = {}): Promise<Result> {
  const written = { stdout: '', stderr: '' };
  const [directory, code] = [process.cwd(), process.exitCode];
  const undo = (['stdout', 'stderr'] as const).map((name) => {
    const { write } = process[name];
    process[name].write = ((chunk: string | Uint8Array) => {
      written[name] += String(chunk);
      return true;
    }) as typeof write;
    return () => {
      process[name].write = write;
    };
  });
  try {
    if (cwd) process.chdir(cwd);
    process.exitCode = undefined;
    await run(args);
    return { code: Number(process.exitCode ?? 0), signal: null, out: written.stdout, err: written.stderr };
  } finally {
    process.exitCode = code;
    if (cwd) process.chdir(directory);
    for (const one of undo) one();
  }
}

// One instance in a process of its own; started by `processes.ts`, which it talks to over the IPC channel.
import { readFileSync } from 'node:fs';
import { EngineError } from '@neural-engine/core';
import { Model } from '@neural-engine/runtime';
import { benchFeeds } from '../feeds';
import { keepBusy, type Load, measureInstance, warmUp } from './instance';
import type { FromInstance, InstanceTask, ProcessMemory, ToInstance } from './process-messages';

const interrupt = new AbortController();
const stop = new AbortController();
let go = (): void => {};
const gone = new Promise<void>((resolve) => {
  go = resolve;
});

const send = (message: FromInstance): void => void process.send?.(message);

// Ctrl-C reaches the whole group; the parent decides what it means. Without a parent there is nothing to measure for.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(1));
// It may have gone while this file was loaded, before anybody listened.
if (!process.connected) process.exit(1);
process.on('message', (message: ToInstance) => {
  if (message === 'go') go();
  else if (message === 'interrupt') interrupt.abort();
  else if (message === 'stop') stop.abort();
  else serve(message.task).catch((error: unknown) => send({ error: toJson(error) }));
});

async function serve(task: InstanceTask): Promise<void> {
  const model = await modelOf(task);
  const { threads, cores, node } = task.placement;
  const session = await model.session({ threads, cores, ...(node === undefined ? {} : { node }) });
  const feeds = benchFeeds(model.inputs, { batch: task.batch, seqLen: task.seqLen, vocabulary: task.vocabulary });
  const { warmup, iterations, stable } = task;
  const run = (): Promise<unknown> => session.run(feeds);
  const work: Load = { run, warmup, iterations, signal: interrupt.signal, ...(stable === undefined ? {} : { stable }) };
  await warmUp(work);
  send('ready');
  await gone;
  const times = await measureInstance(work);
  send({ times, threads: session.threads, memory: memoryOf() });
  await keepBusy(run, stop.signal);
  await session.close();
  process.disconnect();
}

/** Mapping what the parent packed needs the runtime alone; compilers and parsers of files would take more memory than all else here. */
async function modelOf({ model, load: options, packedFile }: InstanceTask): Promise<Model> {
  const packed = packedFile === undefined ? null : await Model.fromPacked(packedFile, options);
  if (packed) return packed;
  const { load } = await import('@neural-engine/engine');
  return (await load(model, options)).runtime;
}

function memoryOf(): ProcessMemory | null {
  try {
    const text = readFileSync('/proc/self/smaps_rollup', 'utf8');
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024;
    return { rss: field('Rss'), pss: field('Pss'), uss: field('Private_Clean') + field('Private_Dirty') };
  } catch {
    return null;
  }
}

function toJson(error: unknown): { code: string; stage: string; message: string } {
  if (EngineError.isInstance(error)) return error.toJSON();
  return { code: 'E_INTERNAL', stage: 'run', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

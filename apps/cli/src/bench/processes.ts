import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EngineError, type ErrorCode, type Stage } from '@neural-engine/core';
import type { Placement } from '@neural-engine/engine';
import type { InstanceTimes } from './instance';
import type { FromInstance, InstanceTask, ProcessMemory, ToInstance } from './process-messages';

export interface ProcessResult {
  readonly times: InstanceTimes;
  readonly threads: number;
  readonly memory: ProcessMemory | null;
}

/** Sources run from `src/bench`, the built command from one flat folder. */
const isSource = import.meta.url.endsWith('.ts');
const entry = fileURLToPath(new URL(isSource ? './instance-process.ts' : './instance-process.js', import.meta.url));

/** Node's own flags for a child: those of this process without the code it was given on the command line. */
function inheritedFlags(): string[] {
  return process.execArgv.flatMap((flag, i, all) => {
    if (flag === '--import' || flag === '-r' || flag === '--require') return [flag, all[i + 1]!];
    return flag.startsWith('--conditions') || flag.startsWith('--import=') ? [flag] : [];
  });
}

/**
 * Measures instances side by side, each in a process of its own. The model's weights are mapped from the packed file, once for all.
 *
 * @throws {EngineError} what an instance could not do; E_INTERNAL one ended by itself, saying how.
 */
export async function measureProcesses(
  task: Omit<InstanceTask, 'placement'>,
  placements: readonly Placement[],
  signal?: AbortSignal,
): Promise<ProcessResult[]> {
  const instances = placements.map((placement) => new Instance({ ...task, placement }));
  const interrupt = (): void => {
    for (const instance of instances) instance.send('interrupt');
  };
  try {
    await Promise.all(instances.map((instance) => instance.receive()));
    signal?.addEventListener('abort', interrupt, { once: true });
    if (signal?.aborted) interrupt();
    for (const instance of instances) instance.send('go');
    const results = await Promise.all(instances.map((instance) => instance.receive()));
    for (const instance of instances) instance.send('stop');
    await Promise.all(instances.map((instance) => instance.ended));
    return results as ProcessResult[];
  } catch (error) {
    for (const instance of instances) instance.kill();
    throw error;
  } finally {
    signal?.removeEventListener('abort', interrupt);
  }
}

class Instance {
  private readonly child: ChildProcess;
  readonly ended: Promise<void>;
  private readonly inbox: FromInstance[] = [];
  private wake = (): void => {};
  private death: string | undefined;

  constructor(task: InstanceTask) {
    this.child = fork(entry, [], { execArgv: inheritedFlags(), stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' });
    this.child.on('message', (message) => {
      this.inbox.push(message as FromInstance);
      this.wake();
    });
    this.ended = new Promise((resolve) => {
      this.child.on('exit', (code, by) => {
        this.death = by ? `was ended by ${by}` : `ended with exit code ${code}`;
        this.wake();
        resolve();
      });
    });
    this.child.on('error', (error) => {
      this.death ??= `could not be started: ${error.message}`;
      this.wake();
    });
    this.send({ task });
  }

  send(message: ToInstance): void {
    // A dead instance is noticed by whoever waits for its answer.
    if (this.child.connected) this.child.send(message, () => {});
  }

  async receive(): Promise<FromInstance> {
    while (this.inbox.length === 0 && this.death === undefined) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const message = this.inbox.shift();
    if (message === undefined) throw new EngineError('E_INTERNAL', 'run', `the process of an instance ${this.death}`);
    if (typeof message === 'object' && 'error' in message)
      throw new EngineError(message.error.code as ErrorCode, message.error.stage as Stage, message.error.message);
    return message;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}
